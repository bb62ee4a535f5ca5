//! From one try to the next.

use std::time::Duration;

/// Pauses that grow: short at first, since most are ready soon.
#[derive(Debug, Default)]
pub(super) struct Pauses(u32);

impl Pauses {
    /// After a try that costs next to nothing: from 25 ms to 500 ms.
    pub(super) async fn quick(&mut self) {
        self.pause(25, 500).await;
    }

    /// After one that costs a process in the container: from 100 ms to 1 s.
    pub(super) async fn slow(&mut self) {
        self.pause(100, 1000).await;
    }

    async fn pause(&mut self, first: u64, most: u64) {
        let pause = (first << self.0.min(16)).min(most);
        self.0 += 1;
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn grow_to_their_bounds() {
        let (mut quick, mut slow) = (Pauses::default(), Pauses::default());
        for (expected_quick, expected_slow) in [
            (25, 100),
            (50, 200),
            (100, 400),
            (200, 800),
            (400, 1000),
            (500, 1000),
            (500, 1000),
        ] {
            let began = Instant::now();
            quick.quick().await;
            assert_eq!(began.elapsed(), Duration::from_millis(expected_quick));
            let began = Instant::now();
            slow.slow().await;
            assert_eq!(began.elapsed(), Duration::from_millis(expected_slow));
        }
    }
}
