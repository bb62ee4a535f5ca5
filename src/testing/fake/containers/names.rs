//! Which containers there are, by names and ids.

use std::sync::Arc;

use super::Container;
use crate::testing::fake::request::Refusal;
use crate::testing::fake::state::State;
use crate::testing::fake::{Shared, volumes};

impl Shared {
    /// By name, id, or the beginning of an id.
    pub(in super::super) fn container(&self, name: &str) -> Result<Arc<Container>, Refusal> {
        let state = self.state();
        let bare = name.trim_start_matches('/');
        let exact = state.by_name.get(bare).or_else(|| state.by_id.get(bare));
        if let Some(found) = exact {
            return Ok(Arc::clone(found));
        }
        let is_id = !bare.is_empty() && bare.chars().all(|char| char.is_ascii_hexdigit());
        let mut found = state
            .containers
            .iter()
            .filter(|container| is_id && container.id.starts_with(bare));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(Arc::clone(one)),
            (Some(_), Some(_)) => Err(Refusal::new(
                400,
                format!("multiple IDs found with provided prefix: {name}"),
            )),
            (None, _) => Err(Refusal::no_container(name)),
        }
    }

    pub(in super::super) fn add(
        &self,
        container: &Arc<Container>,
        name: &str,
    ) -> Result<(), Refusal> {
        let mut state = self.state();
        self.check_name(&state, name)?;
        state.by_name.insert(name.to_owned(), Arc::clone(container));
        state
            .by_id
            .insert(container.id.clone(), Arc::clone(container));
        state.containers.push(Arc::clone(container));
        Ok(())
    }

    /// Whether a container may have this name.
    pub(super) fn check_name(&self, state: &State, name: &str) -> Result<(), Refusal> {
        let sound = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
        let begins = name.starts_with(|char: char| char.is_ascii_alphanumeric());
        if !begins || name.len() < 2 || !name.chars().all(sound) {
            let message = format!(
                "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
            );
            return Err(Refusal::new(400, message));
        }
        let Some(holder) = state.by_name.get(name) else {
            return Ok(());
        };
        let message = match self.personality.is_podman() {
            true => format!(
                "creating container storage: the container name \"{name}\" is already in use by {}. You have to remove that container to be able to reuse that name: that name is already in use",
                holder.id
            ),
            false => format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You have to remove (or rename) that container to be able to reuse that name.",
                holder.id
            ),
        };
        Err(Refusal::new(self.personality.conflict(), message))
    }

    /// Gives a container another name, and tells the old one.
    pub(in super::super) fn rename(
        &self,
        container: &Arc<Container>,
        name: &str,
    ) -> Result<String, Refusal> {
        let mut state = self.state();
        if !state.by_id.contains_key(&container.id) {
            return Err(Refusal::no_container(&container.id));
        }
        let old = container.name();
        if old == name {
            let message = "Renaming a container with the same name as its current name";
            return Err(Refusal::new(400, message));
        }
        self.check_name(&state, name)?;
        state.by_name.remove(&old);
        state.by_name.insert(name.to_owned(), Arc::clone(container));
        name.clone_into(&mut container.inner().name);
        Ok(old)
    }

    /// It is gone, with its anonymous volumes where that is asked for.
    pub(in super::super) fn forget(&self, container: &Arc<Container>, with_volumes: bool) {
        {
            let mut state = self.state();
            state.by_name.remove(&container.name());
            state.by_id.remove(&container.id);
            state.containers.retain(|known| known.id != container.id);
            state
                .execs
                .retain(|_, exec| exec.container.id != container.id);
        }
        if with_volumes {
            let config = container.config();
            for mount in config["HostConfig"]["Mounts"]
                .as_array()
                .into_iter()
                .flatten()
            {
                if mount["Anonymous"] == true {
                    let name = mount["Source"].as_str().unwrap_or_default();
                    self.state().volumes.remove(name);
                    volumes::tell(self, "destroy", name);
                }
            }
        }
        container.tell(self, "destroy", &[]);
        container.log.runs(false);
        container.is_gone();
    }
}
