//! What may be true, given what each caller was told.
//!
//! Between steps nothing is under way, so that the world is known. Within a step it passes through the worlds that the
//! engine's events tell of, one after the other: an answer is right where it is the engine's in one of them, and an effect
//! is there as often as callers may have had it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use catamaran::Effect;

use crate::client::{Answer, Asked, Told};
use crate::effects::{self, Want, wanted};
use crate::engine::{Lab, Moment, World};
use crate::steps::Verb as V;

/// What a caller knows of its call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Did,
    No,
    Unsure,
}

/// A call of a step, and what came of it.
pub struct Call {
    pub asked: Asked,
    pub told: Told,
    pub took: Duration,
}

impl Call {
    pub fn fate(&self) -> Fate {
        match &self.told {
            Some(Ok(Answer::Was)) => Fate::No,
            Some(Ok(_)) => Fate::Did,
            Some(Err(error)) => match error.effect() {
                Effect::NotSent | Effect::Rejected => Fate::No,
                Effect::Done => Fate::Did,
                _ => Fate::Unsure,
            },
            None => Fate::Unsure,
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}: ", self.took, self.asked)?;
        match &self.told {
            None => f.write_str("its caller went away"),
            Some(Ok(answer)) => write!(f, "{answer:?}"),
            Some(Err(error)) => write!(f, "{:?}: {error:#}", error.effect()),
        }
    }
}

/// A step that is over.
pub struct Ended {
    pub before: World,
    pub calls: Vec<Call>,
    pub moments: Vec<Moment>,
    /// Something went wrong on the way, or a breaker was open.
    pub troubled: bool,
    /// Something on the way answered in the engine's place.
    pub lied: bool,
    /// Requests were held up.
    pub delayed: bool,
}

impl Ended {
    pub fn worlds(&self) -> impl Iterator<Item = &World> {
        std::iter::once(&self.before).chain(self.moments.iter().map(|one| &one.after))
    }
}

/// A creation, of this step or of one before.
#[derive(Debug)]
struct Creation {
    asked: Asked,
    fate: Fate,
    /// What its caller got.
    id: Option<String>,
    /// A request of it was held up, and makes another one where it arrives when the first is gone: that goes again.
    delayed: bool,
    made: usize,
}

#[derive(Default)]
pub struct Model {
    creations: Vec<Creation>,
    /// Containers, networks and volumes that callers were given.
    pub containers: Vec<String>,
    pub networks: Vec<String>,
    pub volumes: Vec<String>,
    codes: BTreeMap<String, i64>,
    /// Those that somebody asked to end.
    forced: BTreeSet<String>,
}

pub type Judged = Result<(), String>;

pub fn bad(what: &str, of: impl fmt::Debug) -> Judged {
    Err(format!("{what}: {of:?}"))
}

impl Model {
    pub fn judge(&mut self, ended: &Ended, foreign: &BTreeSet<String>) -> Judged {
        if let Some(one) = ended
            .moments
            .iter()
            .find(|one| foreign.contains(&one.actor))
        {
            return bad("FOREIGN: somebody else's", &one.action);
        }
        ended
            .calls
            .iter()
            .for_each(|call| self.note(call, ended.delayed));
        ended
            .calls
            .iter()
            .try_for_each(|call| self.answer(call, ended))?;
        self.made(ended)?;
        let given = [&self.containers, &self.networks, &self.volumes];
        effects::judge(ended, |actor| {
            given.iter().any(|given| given.contains(actor))
        })
    }

    fn note(&mut self, call: &Call, delayed: bool) {
        let (asked, fate) = (&call.asked, call.fate());
        if matches!(asked.verb, V::Stop | V::Kill | V::Restart | V::Remove) {
            self.forced.insert(asked.target.clone());
        }
        if !asked.verb.makes() {
            return;
        }
        let mut id = None;
        if let Some(Ok(Answer::Made(made))) = &call.told {
            id = Some(made.clone());
            self.codes
                .extend(asked.code.map(|code| (made.clone(), code)));
            let given = match asked.verb {
                V::Create | V::CreateNamed => &mut self.containers,
                V::CreateNetwork => &mut self.networks,
                _ => &mut self.volumes,
            };
            given.push(made.clone());
        }
        let asked = asked.clone();
        self.creations.push(Creation {
            asked,
            fate,
            id,
            delayed,
            made: 0,
        });
    }

    /// Whether a caller was told what an engine says in one of the worlds of this step.
    fn answer(&self, call: &Call, ended: &Ended) -> Judged {
        let Call { asked, told, .. } = call;
        let may = |want: Want| ended.worlds().any(|world| wanted(asked, world) == want);
        let right = match told {
            None => true,
            Some(Ok(Answer::Was)) => may(Want::Already),
            Some(Ok(answer)) => {
                self.value(asked, answer, ended)?;
                may(Want::Does)
                    || ended.troubled && effects::finds(asked.verb, ended.calls.len() > 1)
            }
            Some(Err(error)) => match (error.effect(), error.exit_code()) {
                (_, Some(code)) if asked.code != Some(code) => {
                    return match self.ended_by_force(asked, code) {
                        true => Ok(()),
                        false => bad("INVENTED", call),
                    };
                }
                (Effect::Rejected, _) => ended.lied || may(Want::Refuses),
                // What runs on, or was paused meanwhile, doesn't end in time.
                (Effect::Unknown, _) if asked.verb == V::Wait => true,
                (Effect::Unknown, _) if asked.verb == V::Exec && ended.calls.len() > 1 => true,
                _ => ended.troubled,
            },
        };
        if right {
            Ok(())
        } else {
            bad("ANSWER: in no world of this step", call)
        }
    }

    /// Who ends a container ends what runs in it, or keeps it from beginning (126).
    fn ended_by_force(&self, asked: &Asked, code: i64) -> bool {
        self.forced.contains(&asked.target) && matches!(code, 126 | 137 | 143)
    }

    fn value(&self, asked: &Asked, answer: &Answer, ended: &Ended) -> Judged {
        let target = &asked.target;
        let state = |world: &World| world.containers.get(target).map(|one| one.state);
        let right = match answer {
            Answer::Code(code) if self.ended_by_force(asked, *code) => true,
            Answer::Code(code) if asked.verb == V::Exec => asked.code == Some(*code),
            // Docker itself says so of one that was never started.
            Answer::Code(0) if ended.worlds().any(|world| state(world) == Some("created")) => true,
            Answer::Code(code) => self.codes.get(target) == Some(code),
            // While it goes it is in a state of which no event tells.
            Answer::Shown(_, state) if state == "removing" => true,
            Answer::Shown(name, state) => ended.worlds().any(|world| {
                let one = world.containers.get(target);
                one.is_some_and(|one| one.name == *name && one.state == state)
            }),
            Answer::Listed(ids) => ended.before.containers.keys().all(|id| {
                ids.contains(id)
                    || ended
                        .worlds()
                        .any(|world| !world.containers.contains_key(id))
            }),
            _ => true,
        };
        if right {
            Ok(())
        } else {
            bad("INVENTED", (asked, answer))
        }
    }

    /// One creation makes one thing.
    fn made(&mut self, ended: &Ended) -> Judged {
        for one in &mut self.creations {
            let made = ended
                .moments
                .iter()
                .filter(|moment| moment.action == "create");
            one.made += made
                .filter(|moment| moment.token == one.asked.token)
                .count();
            let container = matches!(one.asked.verb, V::Create | V::CreateNamed);
            match (one.fate, one.made) {
                // Excluded: a creation whose first attempt is held up, and whose second is refused since another has the
                // name, counts as refused; the first comes to something where the name is free by then. It goes again.
                (Fate::No, 1..) if !one.delayed => {
                    return bad("EFFECT: said not to be made, and was", one);
                }
                (Fate::Did, 0) if container => {
                    return bad("LOST: said to be made, and wasn't", one);
                }
                (_, 2..) if !one.delayed => return bad("TWICE: made more than once", one),
                (_, 3..) => return bad("TWICE: made more than twice", one),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether there is what there should be, and what there shouldn't; the janitor may not have been there yet.
    pub async fn there(&self, lab: &Lab) -> Result<Judged, String> {
        let tokens = lab.tokens().await;
        for one in &self.creations {
            let bear = tokens.iter().filter(|(token, _)| *token == one.asked.token);
            let bear: Vec<_> = bear.map(|(_, id)| id).collect();
            // Others may have been given a volume of that name: it isn't taken back.
            let shared = one.asked.verb == V::CreateVolumeNamed;
            match one.fate {
                _ if bear.len() > 1 && !one.delayed => {
                    bad("TWICE: there more than once", (one, bear))?;
                }
                Fate::No if !bear.is_empty() && !one.delayed => {
                    bad("EFFECT: said not to be made, and was", one)?;
                }
                Fate::Unsure if shared => {}
                _ if bear.iter().any(|id| one.id.as_ref() != Some(id)) => {
                    return Ok(bad("LEFT BEHIND", (one, bear)));
                }
                _ => {}
            }
        }
        Ok(Ok(()))
    }
}
