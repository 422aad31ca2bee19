//! Sessions in files: they outlive the process, and processes share them.

use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use crate::support::{Request, Server};

/// A folder that is removed with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("example-shop-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Starts a shop that keeps its sessions in this folder.
    fn shop(&self) -> Server {
        let storage = format!("file:{}", self.0.display());
        Server::start(&["--storage", &storage, "--lock-wait", "60", "--lock-lease", "10"])
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_session_survives_any_end_of_the_shop() {
    let folder = Folder::new("survives");
    let shop = folder.shop();
    let id = shop.log_in("ada").await;
    let response = shop.send(Request::post("/count").id(&id)).await;
    assert_eq!(response.count(), 1);
    // The shop is killed while a request holds the lock.
    let mut interrupted = shop.connect().await;
    interrupted
        .send_bytes(&Request::post("/slow?ms=60000").id(&id).to_bytes())
        .await;
    drop(shop);

    let shop = folder.shop();
    let response = shop.send(Request::get("/me").id(&id)).await;
    assert_eq!(response.json()["user"], "ada");
    let response = shop.send(Request::post("/count").id(&id)).await;
    assert_eq!(response.count(), 2);
    let response = shop.send(Request::post("/logout").id(&id)).await;
    assert_eq!(response.status, 204);
    drop(shop);

    let shop = folder.shop();
    let response = shop.send(Request::get("/me").id(&id)).await;
    assert!(response.json()["user"].is_null(), "{response:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_shops_on_one_folder_lose_no_count() {
    let folder = Folder::new("together");
    let shops = [folder.shop(), folder.shop()];
    let id = shops[0].log_in("ada").await;
    let mut requests = JoinSet::new();
    for number in 0..64 {
        let mut connection = shops[number % 2].connect().await;
        let add = Request::post("/count").id(&id);
        requests.spawn(async move { connection.send(&add).await });
    }
    while let Some(response) = requests.join_next().await {
        let response = response.expect("the client does not fail");
        assert_eq!(response.status, 200, "{response:?}");
    }
    assert_eq!(shops[0].count(&id).await, 64);
    assert_eq!(shops[1].count(&id).await, 64);
}
