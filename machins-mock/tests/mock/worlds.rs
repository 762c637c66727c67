//! Worlds of their own on one server.

use std::time::Duration;

use machins_mock::{Fault, MockServer, NewAgent, Plan, WorldError};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::http::{client, control, device, get, post, register};

#[tokio::test]
async fn a_world_is_created_listed_and_removed() {
    let server = MockServer::start().await;
    let (status, world) = control(&server, Method::POST, "worlds", json!({"name": "gw0"})).await;
    let url = format!("{}/_world/gw0", server.url());
    let expected = json!({
        "name": "gw0", "url": url, "machineid_base_url": url,
        "machins_base_url": format!("{url}/api/v1"),
    });
    assert_eq!((status, &world), (201, &expected));
    control(&server, Method::POST, "worlds", json!({"name": "a"})).await;
    let (_, list) = control(&server, Method::GET, "worlds", Value::Null).await;
    let names: Vec<_> =
        list["worlds"].as_array().unwrap().iter().map(|world| world["name"].clone()).collect();
    assert_eq!(names, ["gw0", "a"], "in order of creation");

    assert_eq!(control(&server, Method::DELETE, "worlds/gw0", Value::Null).await.0, 200);
    assert_eq!(control(&server, Method::DELETE, "worlds/gw0", Value::Null).await.0, 404);
    let gone = client().get(format!("{url}/_mock/health")).send().await.unwrap();
    assert_eq!(gone.status(), 404);
    assert_eq!(gone.json::<Value>().await.unwrap()["code"], "WORLD_NOT_FOUND");
}

#[tokio::test]
async fn a_world_without_a_name_is_given_one() {
    let server = MockServer::start().await;
    let (status, one) = control(&server, Method::POST, "worlds", Value::Null).await;
    let (_, other) = control(&server, Method::POST, "worlds", json!({})).await;
    assert_eq!(status, 201);
    assert_ne!(one["name"], other["name"]);
}

#[rstest]
#[case::empty("")]
#[case::slash("a/b")]
#[case::space("a b")]
#[case::dots("..")]
#[case::not_ascii("é")]
#[case::long(&"x".repeat(65))]
#[tokio::test]
async fn an_invalid_name_of_a_world_is_refused(#[case] name: &str) {
    let server = MockServer::start().await;
    let (status, error) = control(&server, Method::POST, "worlds", json!({"name": name})).await;
    assert_eq!(status, 400);
    assert!(error["detail"].as_str().unwrap().starts_with("`name`"), "{error}");
    assert!(matches!(server.create_world(name), Err(WorldError::InvalidName)));
}

#[tokio::test]
async fn a_name_of_a_world_is_given_once() {
    let server = MockServer::start().await;
    let first = server.create_world("a").unwrap();
    let (status, error) = control(&server, Method::POST, "worlds", json!({"name": "a"})).await;
    assert_eq!((status, &error["code"]), (409, &json!("DUPLICATE")));
    drop(first);
    assert!(server.create_world("a").is_ok(), "a dropped handle removes its world");
}

#[tokio::test]
async fn worlds_share_nothing() {
    let server = MockServer::start().await;
    let (one, other) = (server.create_world("one").unwrap(), server.create_world("two").unwrap());
    let org = one.create_org(Plan::Free);
    register(&one, &org, &["a"]).await;
    assert_eq!(post(&one, &org, "devices/validate", device("a")).await.1["code"], "ALLOW");
    for elsewhere in [&server, &other] {
        assert_eq!(get(elsewhere, &org, "usage").await.1["code"], "ORG_NOT_FOUND");
    }
    one.create_agent(NewAgent::new().slug("seller")).unwrap();
    other.create_agent(NewAgent::new().slug("seller")).unwrap();

    one.clock().advance(Duration::from_secs(48 * 60 * 60)).unwrap();
    assert!(other.clock().now() < one.clock().now() - Duration::from_secs(47 * 60 * 60));

    one.add_fault(Fault::status(503).path("/api/v1/**")).unwrap();
    assert_eq!(get(&one, &org, "usage").await.0, 503);
    assert_eq!(get(&other, &org, "usage").await.0, 404);

    let paths: Vec<_> = one.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[0], "/api/v1/devices/register", "without the world");
    assert_eq!((server.requests().len(), other.requests().len()), (1, 2));

    control(&one, Method::POST, "reset", Value::Null).await;
    assert!(one.org(org.key()).is_none());
    assert_eq!(other.requests().len(), 2);
}

#[tokio::test]
async fn every_control_route_is_under_each_world() {
    let server = MockServer::start().await;
    let world = server.create_world("a").unwrap();
    for path in ["health", "clock", "requests", "webhooks", "faults", "state", "machins/ledger"] {
        assert_eq!(control(&world, Method::GET, path, Value::Null).await.0, 200, "{path}");
    }
    let (_, org) = control(&world, Method::POST, "machineid/orgs", json!({})).await;
    assert!(world.org(org["org_key"].as_str().unwrap()).is_some());
    let document = client().get(format!("{}/openapi.json", world.url())).send().await.unwrap();
    assert_eq!(document.status(), 200);
}

#[tokio::test]
async fn a_seed_makes_the_same_worlds_in_any_order() {
    let run = async |names: [&str; 2]| {
        let server = MockServer::builder().seed(7).start().unwrap();
        let worlds = names.map(|name| server.create_world(name).unwrap());
        let world = worlds.iter().find(|world| world.url().ends_with("/a")).unwrap();
        let org = world.create_org(Plan::Free);
        (org.key().to_owned(), get(world, &org, "usage").await.1)
    };
    assert_eq!(run(["a", "b"]).await, run(["b", "a"]).await);
}

#[tokio::test]
async fn no_request_id_is_repeated_in_another_world() {
    let server = MockServer::builder().seed(7).start().unwrap();
    let mut seen = std::collections::HashSet::new();
    let mut ask = async |world: &MockServer| {
        for key in [world.create_org(Plan::Free).key(), "org_unknown", ""] {
            let url = format!("{}/api/v1/usage", world.url());
            let reply = client().get(url).header("x-org-key", key).send().await.unwrap();
            let reply: Value = reply.json().await.unwrap();
            assert!(seen.insert(reply["request_id"].to_string()), "{reply}");
        }
    };
    ask(&server).await;
    for name in ["a", "b", "a"] {
        let world = server.create_world(name).unwrap();
        ask(&world).await;
        world.reset();
        ask(&world).await;
    }
    for _ in 0..2 {
        let body = json!({"name": "seeded", "seed": 7});
        control(&server, Method::POST, "worlds", body).await;
        let url = format!("{}/_world/seeded/api/v1/usage", server.url());
        let reply = client().get(url).header("x-org-key", "org_x").send().await.unwrap();
        let reply: Value = reply.json().await.unwrap();
        assert!(seen.insert(reply["request_id"].to_string()), "{reply}");
        control(&server, Method::DELETE, "worlds/seeded", Value::Null).await;
    }
}

#[tokio::test]
async fn a_thousand_worlds_live_in_one_server() {
    let server = MockServer::start().await;
    let worlds: Vec<_> =
        (0..1000).map(|number| server.create_world(format!("w{number}")).unwrap()).collect();
    let orgs: Vec<_> = worlds.iter().map(|world| world.create_org(Plan::Free)).collect();
    for (world, org) in worlds.iter().zip(&orgs).step_by(100) {
        assert_eq!(get(world, org, "usage").await.0, 200);
    }
    drop(worlds);
    let (_, list) = control(&server, Method::GET, "worlds", Value::Null).await;
    assert_eq!(list["worlds"], json!([]));
}
