//! What Prometheus is told.

use catamaran::telemetry::metrics::{ALL, Kind};

use super::*;

#[tokio::test]
async fn every_number_is_there_that_these_calls_cause() {
    let service = served(&[("LEASE", "3s"), ("WARM", "1")]).await;
    service.until("/ready", 200).await;
    let filled = || {
        service
            .app
            .manager
            .pools()
            .iter()
            .all(|pool| pool.ready == 1)
    };
    eventually("the pool is filled", filled).await;
    // One of the pool, and one by each engine past it.
    service.open(ALICE, "alpha").await;
    service.open(ALICE, "beta").await;
    service.app.backend.set_rollout(0).expect("a share");
    service.open(BOB, "gamma").await;
    service.delete(ALICE, "/sessions/beta").await;

    // What comes only where something else is wrong or asked for: `scripts/observe` sees to it, or tells why not.
    let rare = [
        "catamaran_resolutions_total",
        "catamaran_breaker_transitions_total",
        "catamaran_engine_restarts_total",
        "catamaran_shadow_comparisons_total",
        "catamaran_shadow_differences_total",
        "catamaran_alerts_total",
        "catamaran_alerts_active",
        "catamaran_audit_records_total",
        "catamaran_retries_total",
        "catamaran_fallbacks_total",
    ];
    let answer = service.ask("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    for metric in ALL.iter().filter(|metric| !rare.contains(&metric.name)) {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            _ => "histogram",
        };
        let name = metric.name;
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name} as {kind} in {text}"
        );
        assert!(
            text.contains(&format!("# HELP {name} {}", metric.help)),
            "{name} is described"
        );
        if kind == "histogram" {
            let bucket = text
                .lines()
                .find(|line| line.starts_with(&format!("{name}_bucket")));
            assert!(
                bucket.is_some_and(|bucket| bucket.contains("le=\"0.001\"")),
                "{name}: {bucket:?}"
            );
        }
    }
    for secret in [ALICE, BOB, "alice", "gamma"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

/// `docs/metrics.md` is written by hand.
#[test]
fn the_page_on_metrics_tells_them_all() {
    let page = include_str!("../../../docs/metrics.md");
    let mut rows = page
        .lines()
        .filter(|line| line.starts_with("| `catamaran_"));
    for metric in ALL {
        let quoted = |text: &str| format!("`{text}`");
        let labels: Vec<_> = metric.labels.split(',').map(quoted).collect();
        let labels = labels.join(", ").replace("``", "");
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let cells = [quoted(metric.name), kind, metric.unit.to_owned(), labels];
        let found = rows.next().unwrap_or_default().split('|').map(str::trim);
        let found: Vec<_> = found.skip(1).take(4).collect();
        assert_eq!(found, cells);
    }
    assert_eq!(rows.next(), None);
}
