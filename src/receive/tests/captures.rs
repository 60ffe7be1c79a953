//! Every recorded request is taken as it was sent.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::support::*;
use crate::base::testing::shared;

fn json(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn every_recorded_request_is_accepted_as_recorded() {
    let Some(root) = shared("otlp-captures") else {
        return;
    };
    for folder in fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if !folder.join("truth.json").exists() {
            continue;
        }
        let house = House::open().await;
        let requests = (1..).map(|number| folder.join(format!("request-{number}.json")));
        for path in requests.take_while(|path| path.exists()) {
            let (head, body) = (json(&path), fs::read(path.with_extension("bin")).unwrap());
            let signal = head["signal"].as_str().unwrap();
            if head["transport"] == "grpc" {
                assert_eq!(signal, "traces");
                let answer = house.call_traces(body).await.unwrap();
                assert_eq!(crate::otlp::refused(answer.get_ref()), None);
                continue;
            }
            let recorded = head["headers"].as_object().unwrap();
            let headers: Vec<_> = ["content-type", "content-encoding", "user-agent"]
                .into_iter()
                .filter_map(|name| Some((name, recorded.get(name)?.as_str()?)))
                .collect();
            let answer = house.post(&format!("/v1/{signal}"), &headers, body).await;
            assert_eq!(answer.status, 200, "{}", path.display());
            assert!(matches!(&*answer.body, b"" | b"{}"), "{}", path.display());
        }
        let truth = json(&folder.join("truth.json"));
        assert_eq!(
            truth["export"]["spans"],
            house.engine.spans(),
            "{}",
            folder.display()
        );
    }
}
