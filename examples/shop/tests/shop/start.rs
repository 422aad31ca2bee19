//! A shop that cannot start names the cause and a remedy, and fails.

use std::fs;

use crate::files::Folder;
use crate::support::Server;

/// Returns the two lines of the message: the error and the remedy.
async fn start_error(flags: &[&str]) -> (String, String) {
    let message = Server::start_error(flags).await;
    let mut lines = message.lines();
    let mut line = |begin| {
        let line = lines.next().and_then(|line| line.strip_prefix(begin));
        line.unwrap_or_else(|| panic!("{flags:?}: {message}")).to_owned()
    };
    let message = (line("error: "), line("help: "));
    assert_eq!(lines.next(), None, "{message:?}");
    message
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let first = Server::start(&[]);
    let address = first.address().to_string();
    let (error, help) = start_error(&["--listen", &address]).await;
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(error.to_lowercase().contains("in use"), "{error}");
    assert!(help.contains("stop it, or choose another port with --listen"), "{help}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    // An address reserved for documentation (RFC 5737).
    let (error, help) = start_error(&["--listen", "192.0.2.1:3000"]).await;
    assert!(error.starts_with("cannot listen on 192.0.2.1:3000: "), "{error}");
    assert!(help.contains("no such address"), "{help}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    // Not a permission error, because the superuser has all permissions.
    let folder = Folder::new("start_error");
    fs::create_dir(folder.path()).expect("the folder can be created");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("the file can be written");
    for folder in [file.clone(), file.join("within")] {
        let folder = folder.display();
        let (error, help) = start_error(&["--storage", &format!("file:{folder}")]).await;
        let named = format!("cannot keep sessions in the folder {folder}: ");
        assert!(error.starts_with(&named), "{error}");
        assert_eq!(error.matches("os error").count(), 1, "{error}");
        assert!(help.contains("as in --storage file:sessions"), "{help}");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "in the way");
}

#[tokio::test]
async fn an_invalid_flag_is_named_with_the_expected_value() {
    for (flag, value, right) in [
        ("--listen", "nonsense", "127.0.0.1:3000"),
        ("--listen", "127.0.0.1", "127.0.0.1:3000"),
        ("--listen", "127.0.0.1:65536", "127.0.0.1:3000"),
        ("--storage", "file:", "as in file:sessions"),
        ("--storage", "sqlite:x", "memory, file:DIR, redis://HOST:PORT"),
        ("--cookie", "sweet", "plain, host"),
        ("--idle", "soon", "a number of seconds"),
        ("--idle", "0", "more than nothing"),
        ("--lock-wait", "-1", "more than nothing"),
        ("--lock-lease", "inf", "less than for ever"),
        ("--cart-ttl", "NaN", "more than nothing"),
        ("--limit", "0", "a number of sessions, from 1"),
        ("--limit", "many", "a number of sessions, from 1"),
        ("--proxy-header", "X Forwarded", "--proxy-header"),
    ] {
        // With an equals sign, so that a leading minus is not parsed as a flag.
        let message = Server::start_error(&[&format!("{flag}={value}")]).await;
        assert!(message.starts_with("error: "), "{message}");
        assert!(
            message.contains(flag) && message.contains(right),
            "{flag} {value}: {message}"
        );
    }
    let message = Server::start_error(&["--refuse"]).await;
    assert!(message.contains("--limit"), "{message}");
    let message = Server::start_error(&["--sotrage", "memory"]).await;
    assert!(message.contains("--sotrage"), "{message}");
}
