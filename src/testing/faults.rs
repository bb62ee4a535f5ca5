//! What goes wrong, with which requests, and how often.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::sync::watch;

/// What becomes of a request or of its answer.
///
/// Whether the engine acted is part of each: that is what a caller can't know, and what its host must stand.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection ends before the engine sees anything. It doesn't act.
    Refuse,
    /// The connection ends once this many bytes of the request's body have come. The engine sees nothing, and doesn't act.
    ResetRequest(u64),
    /// The engine acts; the connection ends without an answer.
    DropAnswer,
    /// The engine acts; the answer comes so much later.
    HoldAnswer(Duration),
    /// The engine acts; the answer comes when the [`Hold`] is released.
    HoldAnswerUntil(Hold),
    /// The request is passed on so much later, even if the client has gone away meanwhile: the engine acts late.
    DelayRequest(Duration),
    /// The same, when the [`Hold`] is released.
    DelayRequestUntil(Hold),
    /// The engine acts; the connection ends after this many bytes of the answer's body.
    Truncate(u64),
    /// The engine acts; its answer's body comes in pieces of so many bytes, one in each of these times.
    Drip(usize, Duration),
    /// An answer with this status instead. The engine doesn't act.
    Status(u16),
    /// The same with `Retry-After` in seconds.
    RetryAfter(u16, u64),
    /// The engine acts; an answer with this status instead of its own.
    StatusAfter(u16),
    /// The engine acts; its answer's body is replaced by something that isn't JSON.
    Malformed,
    /// So much time passes before the request is passed on; a client that goes away meanwhile takes it with it.
    Latency(Duration),
}

impl Fault {
    /// Whether the engine sees the request.
    #[must_use]
    pub fn reaches_engine(&self) -> bool {
        !matches!(
            self,
            Self::Refuse | Self::ResetRequest(_) | Self::Status(_) | Self::RetryAfter(..)
        )
    }
}

/// Holds something back until it is released, once and for all.
#[derive(Debug, Clone, Default)]
pub struct Hold(Arc<watch::Sender<bool>>);

impl Hold {
    /// One that isn't released.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everything go on that waits for it, and all that comes later.
    pub fn release(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn wait(&self) {
        let mut released = self.0.subscribe();
        // The sender lives as long as this does.
        let _ = released.wait_for(|released| *released).await;
    }
}

/// Which of the requests that fit a rule meet its fault.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Each.
    Always,
    /// The first so many.
    First(u64),
    /// One alone, counted from 1.
    Nth(u64),
    /// Each so-manieth.
    Every(u64),
    /// Each with this probability, by the plan's seed: the same seed gives the same sequence.
    Chance(f64),
}

/// A fault for the requests of an endpoint.
///
/// ```
/// use catamaran::testing::{Fault, Rule, When};
///
/// let rule = Rule::new("POST", "/containers/create", Fault::DropAnswer).when(When::First(1));
/// # let _ = rule;
/// ```
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<String>,
    path: String,
    fault: Fault,
    when: When,
}

impl Rule {
    /// For requests of this method whose path, without its version, fits: `*` stands for anything within one part, as in
    /// `/containers/*/start`; a pattern that ends in `/**` takes all that is beneath. A method that isn't one fits none.
    #[must_use]
    pub fn new(method: &str, path: impl Into<String>, fault: Fault) -> Self {
        Self {
            method: Some(method.to_owned()),
            path: path.into(),
            fault,
            when: When::Always,
        }
    }

    /// For every request.
    #[must_use]
    pub fn any(fault: Fault) -> Self {
        Self {
            method: None,
            path: "/**".to_owned(),
            fault,
            when: When::Always,
        }
    }

    /// How often; always unless told otherwise.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    fn fits(&self, method: &Method, path: &str) -> bool {
        if self
            .method
            .as_deref()
            .is_some_and(|own| own != method.as_str())
        {
            return false;
        }
        let mut parts = path.split('/');
        let mut wanted = self.path.split('/').peekable();
        while let Some(want) = wanted.next() {
            if want == "**" && wanted.peek().is_none() {
                return true;
            }
            match parts.next() {
                Some(part) if want == "*" || part == want => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

/// How a rule has fared.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Requests that fitted.
    pub matched: u64,
    /// Those of them that met the fault.
    pub faulted: u64,
    /// Those of them that the engine has answered, whether the client was told or not.
    pub acted: u64,
}

#[derive(Default)]
struct Plan {
    rules: Vec<(Rule, Count)>,
    seed: u64,
    /// How often all rules were taken away: the numbers of those before say nothing of those after.
    cleared: u64,
}

/// Rules for faults, tried in their order: the first that a request meets holds. They may be changed while requests
/// come; clones are one.
///
/// ```
/// use catamaran::testing::{Fault, Faults, Rule, When};
///
/// let faults = Faults::new();
/// faults.seed(7);
/// faults.add(Rule::new("GET", "/containers/*/json", Fault::Status(503)).when(When::Chance(0.5)));
/// assert_eq!(faults.count(0).matched, 0);
/// ```
#[derive(Clone)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    changed: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            plan: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.plan().rules).finish()
    }
}

/// A fault that a request meets, and where it is counted.
pub(crate) struct Met {
    pub(crate) fault: Fault,
    rule: usize,
    cleared: u64,
}

impl Faults {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule; its number is the next, from 0.
    pub fn add(&self, rule: Rule) -> usize {
        let mut plan = self.plan();
        plan.rules.push((rule, Count::default()));
        plan.rules.len() - 1
    }

    /// Takes all rules away, and what was counted with them.
    pub fn clear(&self) {
        let mut plan = self.plan();
        plan.rules.clear();
        plan.cleared += 1;
    }

    /// What [`When::Chance`] is decided by; 0 unless told otherwise.
    pub fn seed(&self, seed: u64) {
        self.plan().seed = seed;
    }

    /// How a rule has fared; nothing of one that isn't there.
    #[must_use]
    pub fn count(&self, rule: usize) -> Count {
        let plan = self.plan();
        plan.rules
            .get(rule)
            .map_or_else(Count::default, |(_, count)| *count)
    }

    /// Waits until a rule's count is as it is to be. Of a rule that isn't there: for ever.
    ///
    /// # Cancel safety
    /// It only looks.
    pub async fn until(&self, rule: usize, enough: impl Fn(Count) -> bool) {
        let mut changed = self.changed.subscribe();
        while !enough(self.count(rule)) {
            // The sender lives as long as this does.
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// What a request meets.
    pub(crate) fn meet(&self, method: &Method, path: &str) -> Option<Met> {
        let path = super::unversioned(path);
        let mut met = None;
        {
            let mut plan = self.plan();
            let (seed, cleared) = (plan.seed, plan.cleared);
            for (index, (rule, count)) in plan.rules.iter_mut().enumerate() {
                if !rule.fits(method, path) {
                    continue;
                }
                count.matched += 1;
                let holds = match rule.when {
                    When::Always => true,
                    When::First(most) => count.matched <= most,
                    When::Nth(nth) => count.matched == nth,
                    When::Every(step) => step > 0 && count.matched.is_multiple_of(step),
                    When::Chance(chance) => fraction(seed, index as u64, count.matched) < chance,
                };
                if holds {
                    count.faulted += 1;
                    met = Some(Met {
                        fault: rule.fault.clone(),
                        rule: index,
                        cleared,
                    });
                    break;
                }
            }
        }
        self.changed.send_modify(|version| *version += 1);
        met
    }

    /// The engine has acted on a request that met a fault.
    pub(crate) fn acted(&self, met: &Met) {
        {
            let mut plan = self.plan();
            let known = plan.cleared == met.cleared;
            if let Some((_, count)) = plan.rules.get_mut(met.rule).filter(|_| known) {
                count.acted += 1;
            }
        }
        self.changed.send_modify(|version| *version += 1);
    }
}

/// A number from 0 to 1 for each request of each rule. The rule is mixed in by itself: added up with the request, one
/// rule's next number would be the next rule's last, and what one request met the following ones would meet too.
fn fraction(seed: u64, rule: u64, request: u64) -> f64 {
    let mixed = mix(mix(seed.wrapping_add(mix(rule))).wrapping_add(request));
    // The upper 53 bits are a fraction that a float holds exactly.
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// A step of splitmix64, by Vigna.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What stands where JSON should.
pub(crate) fn malformed() -> Bytes {
    Bytes::from_static(b"{\"Id\": \"c0ffee\", \"State\": {\"Status\": \x80\xff,,}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(faults: &Faults, count: usize) -> Vec<bool> {
        let meet = |_| faults.meet(&Method::GET, "/v1.41/info").is_some();
        (0..count).map(meet).collect()
    }

    fn with(when: When) -> Faults {
        let faults = Faults::new();
        faults.add(Rule::any(Fault::Refuse).when(when));
        faults
    }

    #[test]
    fn a_rule_holds_as_often_as_it_says() {
        for (when, expected) in [
            (When::Always, [true, true, true, true]),
            (When::First(2), [true, true, false, false]),
            (When::Nth(3), [false, false, true, false]),
            (When::Every(2), [false, true, false, true]),
            (When::Chance(0.0), [false; 4]),
            (When::Chance(1.0), [true; 4]),
        ] {
            let faults = with(when);
            assert_eq!(sequence(&faults, 4), expected, "{when:?}");
            let held = expected.iter().filter(|held| **held).count() as u64;
            assert_eq!(
                (faults.count(0).matched, faults.count(0).faulted),
                (4, held)
            );
        }
    }

    #[test]
    fn a_seed_gives_one_sequence() {
        let by = |seed| {
            let faults = with(When::Chance(0.3));
            faults.seed(seed);
            sequence(&faults, 1000)
        };
        assert_eq!(by(7), by(7));
        assert_ne!(by(7), by(8));
        let met = by(7).iter().filter(|met| **met).count();
        assert!((250..350).contains(&met), "{met} of 1000");
    }

    #[test]
    fn rules_of_one_seed_know_nothing_of_each_other() {
        for seed in [0, 7] {
            let faults = Faults::new();
            faults.seed(seed);
            for _ in 0..10 {
                faults.add(Rule::any(Fault::Refuse).when(When::Chance(0.03)));
            }
            let met = sequence(&faults, 10_000);
            let pairs = met.windows(2).filter(|two| two[0] && two[1]).count();
            // A quarter of all meet one, and so a sixteenth of all pairs meet two.
            assert!((500..900).contains(&pairs), "{pairs} pairs of 10,000");
        }
    }

    #[test]
    fn what_was_met_before_a_clear_is_not_counted_after_it() {
        let faults = with(When::Always);
        let met = faults.meet(&Method::GET, "/info").expect("a fault");
        faults.clear();
        faults.add(Rule::any(Fault::Refuse));
        faults.acted(&met);
        assert_eq!(faults.count(0), Count::default());
    }

    #[test]
    fn rules_are_for_endpoints() {
        let rule = |path: &str| Rule::new("POST", path, Fault::Refuse);
        for (pattern, path, fits) in [
            ("/containers/create", "/containers/create", true),
            ("/containers/create", "/containers/created", false),
            ("/containers/*/start", "/containers/a/start", true),
            ("/containers/*/start", "/containers/a/b/start", false),
            ("/containers/*", "/containers", false),
            ("/containers/**", "/containers/a/start", true),
            ("/**", "/info", true),
        ] {
            assert_eq!(
                rule(pattern).fits(&Method::POST, path),
                fits,
                "{pattern} {path}"
            );
            assert!(!rule(pattern).fits(&Method::GET, path));
        }
        assert!(!Rule::new("no method", "/**", Fault::Refuse).fits(&Method::GET, "/info"));
    }
}
