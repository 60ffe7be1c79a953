//! When there is too much, senders are told to come back, and memory stays within its bound.

use std::time::Duration;

use futures::future::join_all;
use tonic::Code;

use super::grpc::retry_after;
use super::support::*;
use crate::receive::Config;

const MIB: usize = 1 << 20;

fn config() -> Config {
    Config {
        in_flight_bytes_max: 42 * MIB,
        ..Config::default()
    }
}

#[tokio::test]
async fn beyond_the_bytes_under_way_both_doors_say_later_and_recover() {
    let house = House::of(Engine::slow(), config()).await;
    let large = traces_of(15 * MIB);
    // Two fit; they are held until the engine answers.
    let held = join_all((0..2).map(|_| house.post_traces("identity", large.clone())));
    let meanwhile = async {
        house
            .until(|house| house.engine.batches.lock().len() == 2)
            .await;
        assert_eq!(house.receiver.in_flight_bytes(), 30 * MIB);

        let answer = house.post_traces("identity", large.clone()).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (429, Some("1"))
        );
        let status = house.call_traces(large.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(retry_after(&status), Some(Duration::from_secs(1)));
        // Few bytes that inflate to many are counted as many.
        let answer = house.post_traces("zstd", zstd(&large)).await;
        assert_eq!(answer.status, 429);
        assert_eq!(house.receiver.in_flight_bytes(), 30 * MIB);

        // What is small still fits; everybody is answered in the end.
        house.engine.gate.add_permits(3);
        assert_eq!(house.post_traces("identity", traces(1)).await.status, 200);
    };
    let (held, ()) = tokio::join!(held, meanwhile);
    assert!(held.iter().all(|answer| answer.status == 200));
    assert_eq!(house.receiver.in_flight_bytes(), 0);

    house.engine.gate.add_permits(1);
    assert_eq!(house.post_traces("identity", large).await.status, 200);
}

#[tokio::test]
async fn a_sender_that_goes_away_gives_its_bytes_back() {
    let house = House::of(Engine::slow(), config()).await;
    let gone = house.post_traces("identity", traces_of(10 * MIB));
    let limited = tokio::time::timeout(Duration::from_millis(300), gone).await;
    assert!(limited.is_err());
    house
        .until(|house| house.receiver.in_flight_bytes() == 0)
        .await;
}

#[test]
fn a_limit_that_the_largest_request_exceeds_is_refused() {
    use crate::model::limits::HTTP_BODY_BYTES_MAX;
    use crate::receive::{ConfigError, Receiver};
    let receiver = |bytes| {
        let config = Config {
            in_flight_bytes_max: bytes,
            ..Config::default()
        };
        Receiver::new(config, std::sync::Arc::new(Engine::default()))
    };
    let least = 2 * HTTP_BODY_BYTES_MAX + 1;
    assert!(receiver(least).is_ok());
    assert_eq!(
        receiver(least - 1).unwrap_err(),
        ConfigError::InFlightBytes(least - 1)
    );
}
