//! A stop lets what is under way be answered.

use std::time::Duration;

use super::support::*;
use crate::receive::Config;

#[tokio::test]
async fn requests_under_way_are_answered_before_the_doors_close() {
    let house = House::of(Engine::slow(), Config::default()).await;
    let stop = async {
        house
            .until(|house| house.engine.batches.lock().len() == 2)
            .await;
        house.tasks.ask_to_stop();
        tokio::task::yield_now().await;
        house.engine.gate.add_permits(2);
    };
    let (http, grpc, ()) = tokio::join!(
        house.post_traces("gzip", gzip(&traces(1))),
        house.call_traces(traces(1)),
        stop
    );
    assert_eq!(http.status, 200);
    assert!(grpc.is_ok());
    assert!(
        house
            .tasks
            .stop_within(Duration::from_secs(10))
            .await
            .is_empty()
    );
    assert!(tokio::net::TcpStream::connect(house.http).await.is_err());
}
