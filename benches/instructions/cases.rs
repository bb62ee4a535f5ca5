//! The hot paths. The blocking engine isn't among them: its two threads wake each other in an order that differs, and with it what
//! a call takes, by up to 2 %.

use std::sync::Arc;

use catamaran::model::{ContainerRef, ContainerSpec, ImageRef, ListOptions};
use catamaran::{AsyncEngine, ContainerBackend, Endpoint, HybridBackend};

use crate::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Ping,
    Inspect,
    List,
    Create,
    /// Through the whole pipeline.
    HybridPing,
    HybridInspect,
}

impl Case {
    pub const ALL: [Self; 6] = [
        Self::Ping,
        Self::Inspect,
        Self::List,
        Self::Create,
        Self::HybridPing,
        Self::HybridInspect,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Inspect => "inspect",
            Self::List => "list-100",
            Self::Create => "create",
            Self::HybridPing => "hybrid-ping",
            Self::HybridInspect => "hybrid-inspect",
        }
    }

    fn backend(self, socket: &str) -> catamaran::Result<Arc<dyn ContainerBackend>> {
        let endpoint = Endpoint::unix(socket);
        Ok(match self {
            Self::HybridPing | Self::HybridInspect => Arc::new(HybridBackend::new(
                &catamaran::Config::builder().endpoint(endpoint).build()?,
            )?),
            _ => Arc::new(AsyncEngine::connect(endpoint)?),
        })
    }
}

/// One after the other, on one thread.
pub fn run(name: &str, calls: &str, socket: &str) -> Outcome<()> {
    let case = Case::ALL.into_iter().find(|case| case.name() == name);
    let case = case.ok_or_else(|| format!("{name} is no case"))?;
    let calls: u64 = calls.parse()?;
    let backend = case.backend(socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let container = ContainerRef::new("4b227777d4dd")?;
    let list = ListOptions::all();
    let spec = ContainerSpec::untrusted(ImageRef::new("busybox")?).with_command(["true"]);
    runtime.block_on(async {
        for _ in 0..calls {
            match case {
                Case::Ping | Case::HybridPing => drop(backend.ping().await?),
                Case::Inspect | Case::HybridInspect => drop(backend.inspect(&container).await?),
                Case::List => drop(backend.list(&list).await?),
                Case::Create => drop(backend.create(&spec).await?),
            }
        }
        Ok(())
    })
}
