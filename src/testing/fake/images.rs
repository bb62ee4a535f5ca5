//! Images: what is there, and what comes from archives and registries.

use std::sync::Arc;

use serde_json::{Value, json};

use super::machine::Tree;
use super::request::{Answer, Answered, Refusal, Request};
use super::time::{NEVER, Time};
use super::{Shared, new_id, registry};

/// An image.
#[derive(Debug)]
pub(super) struct Image {
    /// With `sha256:`.
    pub(super) id: String,
    pub(super) tags: Vec<String>,
    pub(super) digests: Vec<String>,
    pub(super) created: Time,
    pub(super) tree: Arc<Tree>,
    /// `Config`, as an inspect shows it.
    pub(super) config: Value,
    pub(super) comment: String,
}

#[derive(Debug, Default)]
pub(super) struct Images(pub(super) Vec<Arc<Image>>);

/// With its tag, where it names none, and without what Docker Hub's names begin with.
pub(super) fn with_tag(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.contains(':') || name.contains('@') {
        true => name.to_owned(),
        false => format!("{name}:latest"),
    }
}

/// The repository and the tag of a name that has one.
pub(super) fn split_tag(name: &str) -> (&str, &str) {
    name.rsplit_once(':').unwrap_or((name, "latest"))
}

impl Images {
    /// By id, its beginning, tag or digest.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Image>> {
        let bare = name.strip_prefix("sha256:").unwrap_or(name);
        let is_id = bare.len() >= 4 && bare.chars().all(|char| char.is_ascii_hexdigit());
        let tag = with_tag(name);
        let named = self
            .0
            .iter()
            .find(|image| image.tags.contains(&tag) || image.digests.contains(&tag));
        let by_id = || {
            self.0
                .iter()
                .find(|image| is_id && image.id[7..].starts_with(bare))
        };
        named.or_else(by_id).cloned()
    }

    fn get(&mut self, id: &str) -> Option<&mut Arc<Image>> {
        self.0.iter_mut().find(|image| image.id == id)
    }

    /// Adds it under a name, which another loses.
    pub(super) fn add(&mut self, image: Image) {
        for tag in &image.tags {
            self.untag(tag);
        }
        self.0.push(Arc::new(image));
    }

    fn untag(&mut self, tag: &str) {
        for image in &mut self.0 {
            if image.tags.iter().any(|known| known == tag) {
                let mut other = copy(image);
                other.tags.retain(|known| known != tag);
                *image = Arc::new(other);
            }
        }
    }
}

fn copy(image: &Image) -> Image {
    Image {
        id: image.id.clone(),
        tags: image.tags.clone(),
        digests: image.digests.clone(),
        created: image.created,
        tree: Arc::clone(&image.tree),
        config: image.config.clone(),
        comment: image.comment.clone(),
    }
}

impl Image {
    pub(super) fn new(tag: Option<String>, tree: Arc<Tree>, config: Value) -> Self {
        Self {
            id: format!("sha256:{}", new_id()),
            tags: tag.into_iter().collect(),
            digests: Vec::new(),
            created: Time::now(),
            tree,
            config,
            comment: String::new(),
        }
    }

    fn size(&self) -> u64 {
        self.tree.size()
    }
}

/// What an image has where it isn't told otherwise.
pub(super) fn plain_config() -> Value {
    json!({
        "Hostname": "", "User": "", "Env": null, "Cmd": ["sh"], "Entrypoint": null, "WorkingDir": "",
        "Labels": null, "Volumes": null, "ExposedPorts": null,
    })
}

fn absent(name: &str) -> Refusal {
    Refusal::new(404, format!("No such image: {}", with_tag(name)))
}

pub(super) fn list(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let images: Vec<Arc<Image>> = engine.state().images.0.clone();
    let containers = engine.containers();
    let mut listed = Vec::new();
    for image in images {
        let named = |wanted: &str| image.tags.iter().any(|tag| fits(tag, wanted));
        let dangling = image.tags.is_empty() && image.digests.is_empty();
        let fits = filters.any("reference", named)
            && filters.labels(&image.config["Labels"])
            && filters.any("dangling", |wanted| {
                dangling == matches!(wanted, "true" | "1")
            });
        if !fits {
            continue;
        }
        let used = containers
            .iter()
            .filter(|container| container.image == image.id)
            .count();
        listed.push(summary(engine, &image, used));
    }
    Ok(Answer::json(200, &json!(listed)))
}

pub(super) fn summary(engine: &Shared, image: &Image, used: usize) -> Value {
    let digests: Vec<String> = image.digests.clone();
    let mut value = json!({
        "Id": image.id, "ParentId": "", "RepoTags": image.tags, "RepoDigests": digests,
        "Created": image.created.seconds(), "Size": image.size(), "SharedSize": -1, "Labels": image.config["Labels"],
        "Containers": used,
    });
    if image.tags.is_empty() && engine.personality.traits().api < (1, 43) {
        value["RepoTags"] = json!(["<none>:<none>"]);
    }
    engine.personality.image(&mut value);
    value
}

/// Whether a name fits a pattern: whole, without its tag, or with `*`.
fn fits(tag: &str, pattern: &str) -> bool {
    let (repository, _) = split_tag(tag);
    let one = |text: &str| match pattern.split_once('*') {
        Some((before, after)) => text.starts_with(before) && text.ends_with(after),
        None => text == pattern || text == with_tag(pattern),
    };
    one(tag) || (!pattern.contains(':') && one(repository))
}

pub(super) fn inspect(engine: &Arc<Shared>, name: &str) -> Answered {
    let image = engine
        .state()
        .images
        .find(name)
        .ok_or_else(|| absent(name))?;
    let mut value = json!({
        "Id": image.id, "RepoTags": image.tags, "RepoDigests": image.digests, "Parent": "", "Comment": image.comment,
        "Created": image.created.text(), "DockerVersion": "", "Author": "", "Config": image.config,
        "Architecture": "amd64", "Os": "linux", "Size": image.size(), "GraphDriver": {"Data": null, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": [image.id]}, "Metadata": {"LastTagTime": NEVER},
    });
    engine.personality.image(&mut value);
    Ok(Answer::json(200, &value))
}

pub(super) fn history(engine: &Arc<Shared>, name: &str) -> Answered {
    let image = engine
        .state()
        .images
        .find(name)
        .ok_or_else(|| absent(name))?;
    let value = json!([{
        "Id": image.id, "Created": image.created.seconds(), "CreatedBy": "", "Tags": image.tags,
        "Size": image.size(), "Comment": image.comment,
    }]);
    Ok(Answer::json(200, &value))
}

/// The name that a call gives an image.
fn given(request: &Request, name: &str) -> Option<String> {
    let repo = request.query.get(name).filter(|repo| !repo.is_empty())?;
    let tag = request.query.get("tag").filter(|tag| !tag.is_empty());
    Some(match tag {
        Some(tag) if tag.contains(':') => with_tag(&format!("{repo}@{tag}")),
        Some(tag) => with_tag(&format!("{repo}:{tag}")),
        None => with_tag(repo),
    })
}

pub(super) async fn create(engine: &Arc<Shared>, request: &Request) -> Answered {
    match given(request, "fromImage") {
        Some(name) => registry::pull(engine, &name, request).await,
        None => import(engine, request),
    }
}

fn import(engine: &Arc<Shared>, request: &Request) -> Answered {
    let tag = given(request, "repo");
    let mut config = json!({"Cmd": null, "Env": null, "Labels": null, "Entrypoint": null});
    for change in request.query.all("changes") {
        changed(&mut config, change)?;
    }
    let tree = match Tree::from_tar(&request.body) {
        Ok(tree) => tree,
        Err(error) => {
            let message = format!("Error processing tar file(exit status 1): {error}");
            if engine.personality.is_podman() {
                return Err(Refusal::new(500, message));
            }
            let line = json!({"errorDetail": {"message": message}, "error": message});
            return Ok(Answer::json(200, &line));
        }
    };
    let mut image = Image::new(tag.clone(), tree, config);
    image.comment = request
        .query
        .get("message")
        .unwrap_or("Imported from -")
        .to_owned();
    let id = image.id.clone();
    engine.state().images.add(image);
    engine
        .events
        .tell("image", "import", &id, json!({"name": id}));
    if let Some(tag) = tag {
        engine
            .events
            .tell("image", "tag", &id, json!({"name": tag}));
    }
    Ok(Answer::json(200, &json!({"status": id})))
}

/// `CMD`, `ENV` and their kin, as in a Dockerfile.
fn changed(config: &mut Value, change: &str) -> Result<(), Refusal> {
    let bad = || {
        Refusal::new(
            400,
            format!("dockerfile parse error: unknown instruction: {change}"),
        )
    };
    let (word, rest) = change.split_once(' ').ok_or_else(bad)?;
    let rest = rest.trim();
    let pair = || {
        rest.split_once(['=', ' '])
            .map(|(name, value)| (name, value.trim_matches('"')))
    };
    let program = || match serde_json::from_str::<Value>(rest) {
        Ok(words @ Value::Array(_)) => words,
        _ => json!(["/bin/sh", "-c", rest]),
    };
    match word.to_ascii_uppercase().as_str() {
        "CMD" => config["Cmd"] = program(),
        "ENTRYPOINT" => config["Entrypoint"] = program(),
        "USER" => config["User"] = json!(rest),
        "WORKDIR" => config["WorkingDir"] = json!(rest),
        "STOPSIGNAL" => config["StopSignal"] = json!(rest),
        "EXPOSE" => {
            let port = if rest.contains('/') {
                rest.to_owned()
            } else {
                format!("{rest}/tcp")
            };
            config["ExposedPorts"][port] = json!({});
        }
        "VOLUME" => config["Volumes"][rest] = json!({}),
        "ENV" => {
            let (name, value) = pair().ok_or_else(bad)?;
            let mut env = config["Env"].as_array().cloned().unwrap_or_default();
            env.push(json!(format!("{name}={value}")));
            config["Env"] = Value::Array(env);
        }
        "LABEL" => {
            let (name, value) = pair().ok_or_else(bad)?;
            config["Labels"][name.trim_matches('"')] = json!(value);
        }
        _ => return Err(bad()),
    }
    Ok(())
}

pub(super) fn tag(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
    let tag =
        given(request, "repo").ok_or_else(|| Refusal::new(400, "invalid reference format"))?;
    let mut state = engine.state();
    let image = state.images.find(name).ok_or_else(|| absent(name))?;
    state.images.untag(&tag);
    if let Some(known) = state.images.get(&image.id) {
        let mut other = copy(known);
        other.tags.push(tag.clone());
        *known = Arc::new(other);
    }
    drop(state);
    engine
        .events
        .tell("image", "tag", &image.id, json!({"name": tag}));
    Ok(Answer::empty(201))
}

pub(super) fn remove(engine: &Arc<Shared>, name: &str, request: &Request) -> Answered {
    let force = request.query.is("force");
    let _one = engine.exclusive();
    let mut state = engine.state();
    let image = state.images.find(name).ok_or_else(|| absent(name))?;
    let tag = with_tag(name);
    let short = |id: &str| {
        id.trim_start_matches("sha256:")
            .chars()
            .take(12)
            .collect::<String>()
    };
    let by_tag = image.tags.contains(&tag);
    let users: Vec<_> = state
        .containers
        .iter()
        .filter(|container| container.image == image.id)
        .collect();
    let last = !by_tag || image.tags.len() <= 1;
    if !by_tag && image.tags.len() > 1 && !force {
        let message = format!(
            "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
            short(&image.id)
        );
        return Err(Refusal::new(409, message));
    }
    if last {
        if let Some(user) = users.iter().find(|user| user.status().lives()) {
            let (image, user) = (short(&image.id), short(&user.id));
            let message = match by_tag {
                true => format!(
                    "conflict: unable to remove repository reference \"{name}\" (must force) - container {user} is using its referenced image {image}"
                ),
                false => format!(
                    "conflict: unable to delete {image} (cannot be forced) - image is being used by running container {user}"
                ),
            };
            if !(by_tag && force) {
                return Err(Refusal::new(409, message));
            }
        }
        if let (Some(user), false) = (users.first(), force) {
            let message = format!(
                "conflict: unable to remove repository reference \"{name}\" (must force) - container {} is using its referenced image {}",
                short(&user.id),
                short(&image.id)
            );
            return Err(Refusal::new(409, message));
        }
    }
    let gone = if by_tag {
        vec![tag]
    } else {
        image.tags.clone()
    };
    let mut told: Vec<Value> = gone.iter().map(|tag| json!({"Untagged": tag})).collect();
    // What a container uses stays, without a name.
    let deleted = last && users.is_empty();
    for tag in &gone {
        state.images.untag(tag);
    }
    if deleted {
        state.images.0.retain(|known| known.id != image.id);
    }
    drop(state);
    for tag in &gone {
        engine
            .events
            .tell("image", "untag", &image.id, json!({"name": tag}));
    }
    if deleted {
        told.extend(
            image
                .digests
                .iter()
                .map(|digest| json!({"Untagged": digest})),
        );
        told.push(json!({"Deleted": image.id}));
        engine
            .events
            .tell("image", "delete", &image.id, json!({"name": image.id}));
    }
    Ok(Answer::json(200, &json!(told)))
}

pub(super) fn prune(engine: &Arc<Shared>, request: &Request) -> Answered {
    let filters = request.query.filters()?;
    let until = filters.until();
    let every = filters.has("dangling")
        && filters
            .all("dangling")
            .all(|value| matches!(value, "false" | "0"));
    let _one = engine.exclusive();
    let mut state = engine.state();
    let used = |image: &Image| {
        let mut containers = state.containers.iter();
        containers.any(|container| container.image == image.id)
    };
    let fits = |image: &&Arc<Image>| {
        (every || image.tags.is_empty())
            && until.is_none_or(|until| image.created < until)
            && filters.labels(&image.config["Labels"])
            && !used(image)
    };
    let gone: Vec<Arc<Image>> = state.images.0.iter().filter(fits).cloned().collect();
    let stays = |image: &Arc<Image>| gone.iter().all(|gone| gone.id != image.id);
    state.images.0.retain(stays);
    drop(state);
    let (mut told, mut space) = (Vec::new(), 0);
    for image in &gone {
        told.extend(image.tags.iter().map(|tag| json!({"Untagged": tag})));
        told.push(json!({"Deleted": image.id}));
        space += image.size();
        engine
            .events
            .tell("image", "delete", &image.id, json!({"name": image.id}));
    }
    Ok(engine.pruned("image", "ImagesDeleted", &json!(told), Some(space)))
}
