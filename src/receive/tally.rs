//! What the doors count of themselves, for `/metrics`. Labels are few and ours: nothing a sender wrote is one.

use metrics::{counter, gauge, histogram};

use crate::model::Rejected;
use crate::otlp::{Encoding, Signal};

/// Which door, and what came through it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) signal: &'static str,
    pub(super) transport: &'static str,
    pub(super) encoding: &'static str,
}

/// Counts a request by how it ended.
pub(super) fn request(request: Request, status: &'static str) {
    let Request {
        signal,
        transport,
        encoding,
    } = request;
    counter!(
        "outspan_receive_requests_total",
        "signal" => signal, "transport" => transport, "encoding" => encoding, "status" => status
    )
    .increment(1);
}

/// Counts a body's bytes, before and after decompression.
pub(super) fn body(signal: Signal, wire: usize, plain: usize) {
    let signal = signal.label();
    counter!("outspan_receive_wire_bytes_total", "signal" => signal).increment(wire as u64);
    counter!("outspan_receive_body_bytes_total", "signal" => signal).increment(plain as u64);
}

/// Counts the items of a decoded request, kept or refused.
pub(super) fn items(signal: Signal, items: u64) {
    counter!("outspan_receive_items_total", "signal" => signal.label()).increment(items);
}

/// Counts refused items by reason.
pub(super) fn rejected(signal: &'static str, rejected: &Rejected) {
    for (reason, count) in rejected.counts() {
        counter!("outspan_receive_rejected_total", "signal" => signal, "reason" => reason.label())
            .increment(count);
    }
}

/// Records how long decoding took.
#[expect(clippy::cast_precision_loss, reason = "seconds of a histogram")]
pub(super) fn decoded(signal: Signal, encoding: Encoding, nanos: i64) {
    histogram!(
        "outspan_receive_decode_seconds",
        "signal" => signal.label(), "encoding" => encoding.label()
    )
    .record(nanos as f64 / 1e9);
}

/// Shows the bytes under way.
#[expect(clippy::cast_precision_loss, reason = "a gauge")]
pub(super) fn in_flight(bytes: usize) {
    gauge!("outspan_receive_in_flight_bytes").set(bytes as f64);
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::model::Reason;

    #[test]
    fn counts_appear_under_our_names() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            request(
                Request {
                    signal: "traces",
                    transport: "http",
                    encoding: "json",
                },
                "partial",
            );
            body(Signal::Traces, 10, 40);
            items(Signal::Traces, 3);
            let mut refused = Rejected::default();
            refused.add(Reason::Depth, String::new);
            rejected("traces", &refused);
            decoded(Signal::Traces, Encoding::Json, 1_500_000);
            in_flight(7);
        });
        let text = recorder.handle().render();
        for line in [
            r#"outspan_receive_requests_total{signal="traces",transport="http",encoding="json",status="partial"} 1"#,
            r#"outspan_receive_wire_bytes_total{signal="traces"} 10"#,
            r#"outspan_receive_body_bytes_total{signal="traces"} 40"#,
            r#"outspan_receive_items_total{signal="traces"} 3"#,
            r#"outspan_receive_rejected_total{signal="traces",reason="depth"} 1"#,
            "outspan_receive_in_flight_bytes 7",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.contains("outspan_receive_decode_seconds"));
    }
}
