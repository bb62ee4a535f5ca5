//! Whatever is asked for, given back and given up, in whatever order.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const OWNERS: [&str; 3] = ["alice", "bob", "carol"];

#[derive(Debug, Clone)]
enum Step {
    Ask(usize),
    Readmit(usize),
    Close(usize),
    Cancel(usize),
    /// Who was given the place may be the one who goes away.
    CloseAndCancel(usize, usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let owner = 0..OWNERS.len();
    prop_oneof![
        8 => owner.clone().prop_map(Step::Ask),
        1 => owner.prop_map(Step::Readmit),
        4 => any::<usize>().prop_map(Step::Close),
        2 => any::<usize>().prop_map(Step::Cancel),
        1 => any::<(usize, usize)>().prop_map(|(close, cancel)| Step::CloseAndCancel(close, cancel)),
    ]
}

struct Waits {
    owner: usize,
    memory: u64,
    asked: Asked<Admitted>,
    /// Owners that were served since it was its owner's first.
    passed_by: Vec<usize>,
}

struct Holds {
    owner: usize,
    memory: u64,
    _admitted: Admitted,
}

struct Model {
    admission: Admission,
    limits: SessionLimits,
    waiting: Vec<Waits>,
    held: Vec<Holds>,
    next: u64,
}

impl Model {
    fn new(sessions: usize, queue: usize, quota: Option<usize>) -> Self {
        let limits = limits(sessions)
            .with_queue(queue)
            .with_owner_sessions(quota);
        Self {
            admission: Admission::new(&limits),
            limits,
            waiting: Vec::new(),
            held: Vec::new(),
            next: 0,
        }
    }

    fn waiting_of(&self, owner: usize) -> usize {
        self.waiting.iter().filter(|one| one.owner == owner).count()
    }

    fn held_by(&self, owner: usize) -> usize {
        self.held.iter().filter(|one| one.owner == owner).count()
    }

    fn needs(&mut self) -> Needs {
        self.next += 1;
        Needs {
            memory: self.next,
            cpus: 0.1,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Ask(owner) => self.ask(owner),
            Step::Readmit(owner) => {
                let needs = self.needs();
                let admitted = self.admission.readmit(&OWNERS[owner].into(), needs);
                self.holds(owner, needs.memory, admitted);
            }
            Step::Close(one) => self.close(one),
            Step::Cancel(one) => self.cancel(one),
            Step::CloseAndCancel(close, cancel) => {
                self.close(close);
                self.cancel(cancel);
            }
        }
        self.look();
        self.check();
    }

    fn holds(&mut self, owner: usize, memory: u64, admitted: Admitted) {
        self.held.push(Holds {
            owner,
            memory,
            _admitted: admitted,
        });
    }

    fn close(&mut self, one: usize) {
        if !self.held.is_empty() {
            self.held.remove(one % self.held.len());
        }
    }

    fn cancel(&mut self, one: usize) {
        if !self.waiting.is_empty() {
            self.waiting.remove(one % self.waiting.len());
        }
    }

    fn ask(&mut self, owner: usize) {
        let needs = self.needs();
        let mut asked = need(&self.admission, OWNERS[owner], needs);
        let own = self.waiting_of(owner);
        let allowed = (self.limits.owner_sessions).is_none_or(|q| own + self.held_by(owner) < q);
        let free = self.held.len() < self.limits.sessions;
        let full = self.waiting.len() >= self.limits.queue;
        let most = (0..OWNERS.len()).map(|one| self.waiting_of(one)).max();
        let outdone = most.is_some_and(|most| most > own + 1);
        match asked.as_mut().now_or_never() {
            Some(Ok(admitted)) => {
                assert!(allowed && free, "within the quota and the limit");
                self.holds(owner, needs.memory, admitted);
            }
            Some(Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Saturated);
                assert!(!allowed || (!free && full && !outdone), "{error}");
                assert_eq!(error.retry_after().is_none(), !allowed, "{error}");
            }
            None => {
                assert!(allowed && !free && (!full || outdone), "nobody else waits");
                if full {
                    self.push_out(most);
                }
                self.waiting.push(Waits {
                    owner,
                    memory: needs.memory,
                    asked,
                    passed_by: Vec::new(),
                });
            }
        }
    }

    /// One of who has the most in the queue was refused for another: the newest.
    fn push_out(&mut self, most: Option<usize>) {
        let mut refused = Vec::new();
        for (place, one) in self.waiting.iter_mut().enumerate() {
            if let Some(answer) = one.asked.as_mut().now_or_never() {
                assert!(answer.is_err(), "there is no room");
                refused.push(place);
            }
        }
        let [place] = refused[..] else {
            panic!("one makes room");
        };
        let owner = self.waiting[place].owner;
        assert_eq!(Some(self.waiting_of(owner)), most);
        let newest = self.waiting.iter().rposition(|one| one.owner == owner);
        assert_eq!(newest, Some(place));
        self.waiting.remove(place);
    }

    /// Who has come to its turn, the first of its owner, and nobody twice before another.
    fn look(&mut self) {
        let mut place = 0;
        while place < self.waiting.len() {
            let one = &mut self.waiting[place];
            let Some(answer) = one.asked.as_mut().now_or_never() else {
                place += 1;
                continue;
            };
            let admitted = answer.expect("the queue has room for it");
            let served = self.waiting.remove(place);
            let owner = served.owner;
            let older = self.waiting[..place].iter().any(|one| one.owner == owner);
            assert!(!older, "who came first is served first");
            assert!(self.held.len() < self.limits.sessions, "within the limit");
            for other in 0..OWNERS.len() {
                let first = self.waiting.iter_mut().find(|one| one.owner == other);
                if let Some(first) = first.filter(|_| other != owner) {
                    assert!(!first.passed_by.contains(&owner), "in turn");
                    first.passed_by.push(owner);
                }
            }
            self.holds(owner, served.memory, admitted);
        }
    }

    fn check(&self) {
        let free = self.held.len() < self.limits.sessions;
        assert!(!free || self.waiting.is_empty(), "nobody waits for nothing");
        let mut expected = BTreeMap::new();
        for (owner, name) in OWNERS.into_iter().enumerate() {
            let held = self.held.iter().filter(|one| one.owner == owner);
            let waiting = self.waiting.iter().filter(|one| one.owner == owner);
            let memory = held.map(|one| one.memory).sum::<u64>()
                + waiting.map(|one| one.memory).sum::<u64>();
            if memory > 0 {
                expected.insert(
                    name.to_owned(),
                    (self.held_by(owner), self.waiting_of(owner), memory),
                );
            }
        }
        let usage = self.admission.usage();
        let told = (usage.by_owner.into_iter())
            .map(|(owner, used)| (owner, (used.sessions, used.waiting, used.memory)));
        assert_eq!(told.collect::<BTreeMap<_, _>>(), expected);
        assert_eq!(usage.sessions, self.held.len());
        assert_eq!(usage.waiting, self.waiting.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn places_are_given_justly_and_come_back(
        sessions in 1..4usize,
        queue in 0..8usize,
        quota in proptest::option::of(1..5usize),
        steps in vec(any_step(), 1..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let _within = runtime.enter();
        let mut model = Model::new(sessions, queue, quota);
        for step in &steps {
            model.step(step);
        }
        model.waiting.clear();
        model.held.clear();
        prop_assert_eq!(model.admission.usage(), Usage::default());
    }
}
