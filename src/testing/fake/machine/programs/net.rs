//! What reaches other containers.

use std::sync::Arc;

use super::super::world::Connection;
use super::options::options;
use super::{Context, Ended, copy, said};

/// `nc HOST PORT`, `nc -l -p PORT`
pub(super) async fn nc(context: Context) -> Ended {
    let options = options(&context.argv, "lp:w:")?;
    let port = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| said(format!("bad port '{text}'")))
    };
    let connection = match options.has('l') {
        true => {
            let operand = options.operands.first().map(String::as_str);
            let text = options.value('p').or(operand).unwrap_or_default();
            let mut listener = context.world.listen(port(text)?)?;
            listener
                .recv()
                .await
                .ok_or_else(|| said("the listener is gone"))?
        }
        false => {
            let [host, text, ..] = options.operands.as_slice() else {
                return Err(said("usage: nc HOST PORT"));
            };
            let network = context.world.setup().network.clone();
            let found = network.and_then(|network| network.find(host));
            let machine = found.ok_or_else(|| said(format!("bad address '{host}'")))?;
            let connected = machine.world.connect(port(text)?);
            connected.ok_or_else(|| {
                said(format!(
                    "can't connect to remote host ({host}): Connection refused"
                ))
            })?
        }
    };
    let Connection { read, write } = connection;
    let input = Arc::clone(context.files.get(0)?);
    let output = Arc::clone(context.files.get(1)?);
    let sends = async move {
        let sent = copy(&input, &write).await;
        // Its end is told by the drop.
        drop(write);
        sent
    };
    let receives = copy(&read, &output);
    if options.has('l') {
        let (sent, received) = tokio::join!(sends, receives);
        sent.and(received)?;
        return Ok(0);
    }
    // As soon as the server has said all, it is over.
    tokio::pin!(sends, receives);
    let mut sending = true;
    loop {
        tokio::select! {
            received = &mut receives => {
                received?;
                return Ok(0);
            }
            _ = &mut sends, if sending => sending = false,
        }
    }
}
