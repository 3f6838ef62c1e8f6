use autogit::reconcile::Wake;

use crate::stage::{Stage, TOKEN, With, secret, small};

#[tokio::test]
async fn an_operator_wakes_the_loop_and_has_the_spec_read_again() {
    let mut stage = Stage::small();
    let answer = stage.post("/reconcile", Some(TOKEN), "").await;
    assert_eq!(answer.json(), serde_json::json!({ "accepted": "reconcile" }));
    assert_eq!(stage.wakes.try_recv(), Ok(Wake::Reconcile));
    stage.post("/reload", Some(TOKEN), "").await;
    assert_eq!(stage.wakes.try_recv(), Ok(Wake::Reload));
}

#[tokio::test]
async fn a_drain_is_left_for_the_loop_that_owns_the_runners() {
    let mut stage = Stage::small();
    let name = "autogit-runner-linux-amd64-0";
    let answer = stage.post(&format!("/runners/{name}/drain"), Some(TOKEN), "").await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["runner"], name);
    let asked: Vec<String> = stage.drains.asked().iter().map(ToString::to_string).collect();
    assert_eq!(asked, [name]);
    assert_eq!(stage.wakes.try_recv(), Ok(Wake::Reconcile));
    stage.post("/runners/nobody/drain", Some(TOKEN), "").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn the_token_is_that_of_the_spec_in_force() {
    let stage = Stage::small();
    stage.show(small().with(|spec| spec.api.token = Some(secret("another"))));
    stage.post("/reconcile", Some(TOKEN), "").await.is_problem(401, "unauthorized");
    assert_eq!(stage.post("/reconcile", Some("another"), "").await.status, 202);
}

#[tokio::test]
async fn wakes_that_pile_up_are_one_and_a_reload_is_never_lost_in_silence() {
    let stage = Stage::small();
    for _ in 0..20 {
        assert_eq!(stage.post("/reconcile", Some(TOKEN), "").await.status, 202);
    }
    stage.post("/reload", Some(TOKEN), "").await.is_problem(503, "busy");
}

#[tokio::test]
async fn a_loop_that_ended_is_said_to_have() {
    let mut stage = Stage::small();
    stage.wakes.close();
    stage.post("/reconcile", Some(TOKEN), "").await.is_problem(503, "ending");
}

#[tokio::test]
async fn before_the_first_look_an_operator_is_known_already() {
    let mut stage = Stage::before_a_look(small().with(|spec| spec.api.token = Some(secret(TOKEN))));
    stage.post("/reload", None, "").await.is_problem(401, "unauthorized");
    assert_eq!(stage.post("/reload", Some(TOKEN), "").await.status, 202);
    assert_eq!(stage.wakes.try_recv(), Ok(Wake::Reload));
    let drain = "/runners/autogit-runner-linux-amd64-0/drain";
    stage.post(drain, Some(TOKEN), "").await.is_problem(503, "starting");
}
