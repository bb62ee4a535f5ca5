//! What happens around calls: callers that go away, and ways that fail and come back.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use catamaran::testing::{Fault, FaultProxy, Faults, Hold, Rule};
use catamaran::{CallContext, ContainerBackend, Mode};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};

use crate::client::{Client, PERMITS};
use crate::clock::Clock;
use crate::model::Judged;
use crate::steps::{Leave, Weather};

/// Longer than any path is left alone.
const LONGEST_REST: Duration = Duration::from_secs(20);
/// Between calls that find out whether it is well again.
const PAUSE: Duration = Duration::from_millis(50);

/// A call whose caller may go away.
pub async fn leaving<T>(
    call: impl Future<Output = T>,
    leave: Option<Leave>,
    deadline: Duration,
    faults: &Faults,
) -> Option<T> {
    let mut call = pin!(call);
    match leave {
        None => Some(call.await),
        Some(Leave::After(part)) => timeout(deadline * part / 100, call).await.ok(),
        Some(Leave::Seen(count)) => tokio::select! {
            biased;
            () = faults.until(0, |all| all.matched >= count) => None,
            told = call => Some(told),
        },
        Some(Leave::Polls(mut left)) => {
            let polled = poll_fn(|context| {
                left -= 1;
                match call.as_mut().poll(context) {
                    Poll::Ready(told) => Poll::Ready(Some(told)),
                    Poll::Pending if left == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            polled.await
        }
    }
}

/// What happens meanwhile; by how much the clock has jumped.
pub async fn blow(
    weather: Option<Weather>,
    proxy: &mut FaultProxy,
    client: &Client,
    clock: Clock,
    deadline: Duration,
) -> Duration {
    let part = |part: u32| deadline * part / 100;
    match weather {
        None => {}
        Some(Weather::Outage(after, long)) => {
            sleep(part(after)).await;
            proxy.disconnect();
            sleep(part(long)).await;
            proxy.reconnect().await.expect("the same place");
        }
        Some(Weather::Jump(after, by)) => {
            sleep(part(after)).await;
            return clock.jump(part(by)).await;
        }
        Some(Weather::Switch(after, mode)) => {
            sleep(part(after)).await;
            client.set_mode(mode);
        }
    }
    Duration::ZERO
}

/// Whatever went wrong is over: each way serves again, with all its permits.
pub async fn recover(client: &Client, faults: &Faults) -> Judged {
    let Client::Hybrid(hybrid) = client else {
        return Ok(());
    };
    let patient = hybrid.with_context(CallContext::new().with_timeout(LONGEST_REST));
    for mode in [Mode::Auto, Mode::Async, Mode::Blocking] {
        hybrid.set_mode(mode);
        let well = async {
            while let Err(error) = patient.ping().await {
                sleep(error.retry_after().unwrap_or(PAUSE)).await;
            }
        };
        if timeout(LONGEST_REST, well).await.is_err() {
            return Err(format!("PROBE: no call comes through in mode {mode}"));
        }
        if mode == Mode::Auto {
            continue;
        }
        // As many at once as there are permits.
        let hold = Hold::new();
        let rule = Rule::new("GET", "/info", Fault::HoldAnswerUntil(hold.clone()));
        let rule = faults.add(rule);
        let calls = (0..PERMITS)
            .map(|_| patient.info())
            .collect::<FuturesUnordered<_>>();
        let held = async {
            let all = faults.until(rule, |count| count.acted >= PERMITS as u64);
            let all = timeout(LONGEST_REST, all).await;
            hold.release();
            all.is_ok()
        };
        let (_, all) = tokio::join!(calls.collect::<Vec<_>>(), held);
        faults.clear();
        if !all {
            return Err(format!("PERMIT: not all are there in mode {mode}"));
        }
    }
    match client.is_well() {
        true => Ok(()),
        false => Err("PROBE: a breaker stays open".to_owned()),
    }
}
