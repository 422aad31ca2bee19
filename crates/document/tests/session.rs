//! A document in the record of a session.

use std::future::pending;

use serde_json::json;
use sessile_core::{Session, SessionId, Visit};
use sessile_document::{DocumentError, LiveDocument, Options, ReplyKind, Told};
use sessile_memory::MemoryStorage;

fn edit(version: u64, path: &str, value: &str) -> Vec<u8> {
    json!([
        {"op": "replace", "path": "/_ver#c$", "value": version},
        {"op": "test", "path": "/_ver#s", "value": 0},
        {"op": "replace", "path": path, "value": value},
    ])
    .to_string()
    .into_bytes()
}

fn live(session: &Session) -> LiveDocument {
    LiveDocument::builder(session.clone())
        .options(Options::DEFAULT.patch_versioning())
        .on("/Name$", async |page, change| {
            page.set(
                "/Length",
                change.to.as_ref().and_then(|to| to.as_str()).unwrap_or("").len(),
            )
        })
        .on("/Items/*/Text$", async |page, change| {
            page.set("/Last", change.path)?;
            if change.to == Some(json!("bad")) {
                return Err(DocumentError::refused("this text is not allowed"));
            }
            if change.to == Some(json!("slow")) {
                pending::<()>().await;
            }
            Ok(())
        })
        .build()
}

async fn started() -> (Session, LiveDocument, SessionId) {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    let document = live(&session);
    let root = json!({"Name$": "", "Length": 0, "Last": "", "Items": [{"Text$": ""}]});
    let visit = session
        .try_enter(Visit::new(), async { document.create(root).await })
        .await
        .expect("the session begins");
    let id = visit.outcome.new_id().expect("the session is new").clone();
    (session, document, id)
}

#[tokio::test]
async fn a_message_is_committed_with_the_visit() {
    let (session, document, id) = started().await;
    let visit = session.try_enter(Visit::from(id.clone()), async {
        document.receive(&edit(1, "/Name$", "Ada")).await
    });
    let reply = visit.await.unwrap().output;
    assert_eq!(reply.kind, ReplyKind::Applied);
    assert!(
        reply.body.contains(r#"{"op":"replace","path":"/Length","value":3}"#),
        "{}",
        reply.body
    );
    // Another process has its own handle of the same session.
    let other = live(&session);
    let visit = session.try_enter(Visit::from(id), async { other.state().await });
    let state: serde_json::Value = serde_json::from_str(&visit.await.unwrap().output).unwrap();
    assert_eq!(
        (&state["Name$"], &state["_ver#c$"], &state["_ver#s"]),
        (&json!("Ada"), &json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_handler_that_fails_takes_the_message_back() {
    let (session, document, id) = started().await;
    session
        .try_enter(Visit::from(id), async {
            let error = document.receive(&edit(1, "/Items/0/Text$", "bad")).await.unwrap_err();
            assert_eq!(
                (error.told(), error.to_string()),
                (Told::BadMessage, "this text is not allowed".into())
            );
            let kept = document.read()?;
            assert_eq!(
                (kept.get("/Items/0/Text$")?, kept.get("/Last")?),
                (Some(&json!("")), Some(&json!("")))
            );
            assert_eq!((kept.client_version(), kept.has_unsent()), (0, false));
            Ok::<_, DocumentError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_message_whose_future_is_dropped_changes_nothing() {
    let (session, document, id) = started().await;
    session
        .try_enter(Visit::from(id), async {
            {
                let message = edit(1, "/Items/0/Text$", "slow");
                let mut receiving = std::pin::pin!(document.receive(&message));
                let polled = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(receiving.as_mut().poll(context).is_pending())
                });
                assert!(polled.await, "the handler waits");
            }
            let kept = document.read()?;
            assert_eq!((kept.client_version(), kept.get("/Last")?), (0, Some(&json!(""))));
            assert_eq!(
                document.receive(&edit(1, "/Items/0/Text$", "good")).await?.kind,
                ReplyKind::Applied
            );
            Ok::<_, DocumentError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_waiting_message_that_is_refused_does_not_undo_the_one_before_it() {
    let (session, document, id) = started().await;
    session
        .try_enter(Visit::from(id), async {
            let later = document.receive(&edit(2, "/Items/0/Text$", "bad")).await?;
            assert_eq!(later.kind, ReplyKind::Queued);
            let reply = document.receive(&edit(1, "/Name$", "Ada")).await?;
            assert_eq!(reply.refused, Some(DocumentError::refused("this text is not allowed")));
            let kept = document.read()?;
            assert_eq!((kept.client_version(), kept.queued()), (1, 0));
            assert_eq!(kept.get("/Name$")?, Some(&json!("Ada")));
            let again = document.receive(&edit(2, "/Items/0/Text$", "bad")).await;
            assert_eq!(again.unwrap_err().told(), Told::BadMessage);
            Ok::<_, DocumentError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_that_comes_back_gets_its_edits_and_the_whole_state() {
    let (session, document, id) = started().await;
    session
        .try_enter(Visit::from(id), async {
            document.receive(&edit(1, "/Name$", "Ada")).await?;
            let (first, second) = (edit(1, "/Name$", "Ada"), edit(2, "/Name$", "Grace"));
            let all = [b"[", first.as_slice(), b",", second.as_slice(), b"]"].concat();
            let state = document.reconnect(&all).await?;
            let state: serde_json::Value = serde_json::from_str(&state).expect("it is JSON");
            assert_eq!(
                (&state["Name$"], &state["Length"], &state["_ver#c$"]),
                (&json!("Grace"), &json!(5), &json!(2))
            );
            let push = document.push().await?;
            assert_eq!(push, None, "the state had it all");
            Ok::<_, DocumentError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_session_without_a_document_says_so() {
    let session: Session = Session::builder(MemoryStorage::new()).build();
    let document = live(&session);
    let result = session.try_enter(Visit::new(), async { document.receive(b"[]").await });
    assert_eq!(result.await.unwrap_err().told(), Told::NoDocument);
}
