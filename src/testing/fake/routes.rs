//! Which request is answered by what.

use std::sync::Arc;

use super::request::{Answered, Refusal, Request};
use super::{Shared, containers, events, exec, images, networks, system, volumes};

pub(super) async fn route(engine: &Arc<Shared>, request: Request) -> Answered {
    let parts = request.parts.clone();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let method = request.method.clone();
    match (method.as_str(), parts.as_slice()) {
        ("GET" | "HEAD", ["_ping"]) => Ok(system::ping(engine)),
        ("GET", ["version"]) => Ok(system::version(engine)),
        ("GET", ["info"]) => Ok(system::info(engine)),
        ("GET", ["system", "df"]) => Ok(system::disk_usage(engine)),
        ("GET", ["events"]) => events::events(engine, request).await,

        ("GET", ["containers", "json"]) => containers::list(engine, &request),
        ("POST", ["containers", "create"]) => containers::create(engine, &request),
        ("POST", ["containers", "prune"]) => containers::prune(engine, &request),
        (method, ["containers", name, rest @ ..]) => {
            let container = engine.container(name)?;
            of_container(engine, method, &container, rest, request).await
        }
        (method, ["exec", id, rest @ ..]) => match (method, rest) {
            ("POST", ["start"]) => exec::start(engine, id, request).await,
            ("POST", ["resize"]) => exec::resize(engine, id, &request),
            ("GET", ["json"]) => exec::inspect(engine, id),
            _ => Err(not_found()),
        },

        ("GET", ["images", "json"]) => images::list(engine, &request),
        ("POST", ["images", "create"]) => images::create(engine, &request).await,
        ("POST", ["images", "prune"]) => images::prune(engine, &request),
        ("GET", ["images", name @ .., "json"]) => images::inspect(engine, &name.join("/")),
        ("GET", ["images", name @ .., "history"]) => images::history(engine, &name.join("/")),
        ("POST", ["images", name @ .., "tag"]) => images::tag(engine, &name.join("/"), &request),
        ("DELETE", ["images", name @ ..]) => images::remove(engine, &name.join("/"), &request),

        ("GET", ["networks"]) => networks::list(engine, &request),
        ("POST", ["networks", "create"]) => networks::create(engine, &request),
        ("POST", ["networks", "prune"]) => networks::prune(engine, &request),
        ("GET", ["networks", name]) => networks::inspect(engine, name),
        ("DELETE", ["networks", name]) => networks::remove(engine, name),
        ("POST", ["networks", name, "connect"]) => networks::connect(engine, name, &request),
        ("POST", ["networks", name, "disconnect"]) => networks::disconnect(engine, name, &request),

        ("GET", ["volumes"]) => volumes::list(engine, &request),
        ("POST", ["volumes", "create"]) => volumes::create(engine, &request),
        ("POST", ["volumes", "prune"]) => volumes::prune(engine, &request),
        ("GET", ["volumes", name]) => volumes::inspect(engine, name),
        ("DELETE", ["volumes", name]) => volumes::remove(engine, name, &request),
        _ => Err(not_found()),
    }
}

async fn of_container(
    engine: &Arc<Shared>,
    method: &str,
    container: &Arc<containers::Container>,
    rest: &[&str],
    request: Request,
) -> Answered {
    match (method, rest) {
        ("GET", ["json"]) => containers::inspect(engine, container),
        ("POST", ["start"]) => containers::start(engine, container),
        ("POST", ["stop"]) => containers::stop(engine, container, &request).await,
        ("POST", ["restart"]) => containers::restart(engine, container, &request).await,
        ("POST", ["kill"]) => containers::kill(engine, container, &request).await,
        ("POST", ["pause"]) => containers::pause(engine, container),
        ("POST", ["unpause"]) => containers::unpause(engine, container),
        ("POST", ["rename"]) => containers::rename(engine, container, &request),
        ("POST", ["update"]) => containers::update(engine, container, &request),
        ("POST", ["wait"]) => containers::wait(container, &request),
        ("POST", ["resize"]) => containers::resize(engine, container, &request),
        ("POST", ["attach"]) => containers::attach(engine, container, request),
        ("POST", ["exec"]) => exec::create(engine, container, &request),
        ("GET", ["logs"]) => containers::logs(container, &request),
        ("GET", ["top"]) => containers::top(engine, container, &request),
        ("GET", ["stats"]) => containers::stats(container, &request),
        ("GET", ["changes"]) => containers::changes(container),
        ("HEAD", ["archive"]) => containers::stat_path(container, &request),
        ("GET", ["archive"]) => containers::get_archive(engine, container, &request),
        ("PUT", ["archive"]) => containers::put_archive(engine, container, &request),
        ("DELETE", []) => containers::remove(engine, container, &request).await,
        _ => Err(not_found()),
    }
}

fn not_found() -> Refusal {
    Refusal::new(404, "page not found")
}
