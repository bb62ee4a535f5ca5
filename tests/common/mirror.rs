//! What an inspect shows of a container that is just as it was asked for.

use serde_json::{Value, json};

use super::peer::Recorded;

/// An id as engines give them.
pub const ID: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// The inspect of what the request creates.
pub fn mirror(create: &Recorded) -> Value {
    let body: Value = serde_json::from_slice(&create.body).expect("JSON");
    let host = &body["HostConfig"];
    let words = [&body["Entrypoint"], &body["Cmd"]];
    let mut program: Vec<_> = words
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .cloned()
        .collect();
    let path = match program.is_empty() {
        true => Value::Null,
        false => program.remove(0),
    };
    let query = create.query.as_deref().unwrap_or_default();
    let name = query.split('&').find_map(|pair| pair.strip_prefix("name="));
    let mounts = host["Mounts"].as_array();
    let mounts: Vec<_> = mounts.into_iter().flatten().map(point).collect();
    json!({
        "Id": ID, "Name": format!("/{}", name.unwrap_or("made_up")), "State": {"Status": "created"},
        "Path": path, "Args": program, "Config": body, "HostConfig": host, "Mounts": mounts,
        "NetworkSettings": {"Networks": {}},
    })
}

fn point(asked: &Value) -> Value {
    json!({
        "Type": asked["Type"], "Source": asked["Source"], "Name": asked["Source"],
        "Destination": asked["Target"], "RW": asked["ReadOnly"] != true,
    })
}
