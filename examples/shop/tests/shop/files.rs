//! Sessions in files: they outlive the process, and processes share them.

use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use crate::support::{Request, Server};

/// A folder of this test's own, which goes with it.
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

    /// A shop that keeps its sessions here.
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
async fn a_session_survives_the_shop_however_that_ends() {
    let folder = Folder::new("survives");
    let shop = folder.shop();
    let id = shop.log_in("ada").await;
    let answer = shop.ask(Request::post("/count").id(&id)).await;
    assert_eq!(answer.count(), 1);
    // Killed, while a request holds the lock.
    let mut cut_off = shop.connect().await;
    cut_off.send(&Request::post("/slow?ms=60000").id(&id).to_bytes()).await;
    drop(shop);

    let shop = folder.shop();
    let answer = shop.ask(Request::get("/me").id(&id)).await;
    assert_eq!(answer.json()["user"], "ada");
    let answer = shop.ask(Request::post("/count").id(&id)).await;
    assert_eq!(answer.count(), 2);
    let answer = shop.ask(Request::post("/logout").id(&id)).await;
    assert_eq!(answer.status, 204);
    drop(shop);

    let shop = folder.shop();
    let answer = shop.ask(Request::get("/me").id(&id)).await;
    assert!(answer.json()["user"].is_null(), "{answer:?}");
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
        requests.spawn(async move { connection.ask(&add).await });
    }
    while let Some(answer) = requests.join_next().await {
        let answer = answer.expect("the client does not fail");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(shops[0].count(&id).await, 64);
    assert_eq!(shops[1].count(&id).await, 64);
}
