//! A shop that cannot start says what it could not use, and how that is mended, and fails.

use std::fs;

use crate::files::Folder;
use crate::support::Server;

/// Two lines: what is wrong, and what to do about it.
async fn refused(flags: &[&str]) -> (String, String) {
    let said = Server::refused(flags).await;
    let mut lines = said.lines();
    let mut line = |begin| {
        let line = lines.next().and_then(|line| line.strip_prefix(begin));
        line.unwrap_or_else(|| panic!("{flags:?}: {said}")).to_owned()
    };
    let said = (line("error: "), line("help: "));
    assert_eq!(lines.next(), None, "{said:?}");
    said
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let first = Server::start(&[]);
    let address = first.address().to_string();
    let (error, help) = refused(&["--listen", &address]).await;
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(error.to_lowercase().contains("in use"), "{error}");
    assert!(help.contains("stop it, or choose another port with --listen"), "{help}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    // From a range that is for documentation alone (RFC 5737).
    let (error, help) = refused(&["--listen", "192.0.2.1:3000"]).await;
    assert!(error.starts_with("cannot listen on 192.0.2.1:3000: "), "{error}");
    assert!(help.contains("no such address"), "{help}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    // Not a matter of rights, which the superuser would have all of.
    let folder = Folder::new("refused");
    fs::create_dir(folder.path()).expect("it can be made");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("it can be written");
    for folder in [file.clone(), file.join("within")] {
        let folder = folder.display();
        let (error, help) = refused(&["--storage", &format!("file:{folder}")]).await;
        let named = format!("cannot keep sessions in the folder {folder}: ");
        assert!(error.starts_with(&named), "{error}");
        assert_eq!(error.matches("os error").count(), 1, "{error}");
        assert!(help.contains("as in --storage file:sessions"), "{help}");
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "in the way");
}

#[tokio::test]
async fn a_flag_that_is_wrong_is_named_with_what_would_be_right() {
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
    ] {
        // With an equals sign, so that a minus is no flag.
        let said = Server::refused(&[&format!("{flag}={value}")]).await;
        assert!(said.starts_with("error: "), "{said}");
        assert!(said.contains(flag) && said.contains(right), "{flag} {value}: {said}");
    }
    let said = Server::refused(&["--sotrage", "memory"]).await;
    assert!(said.contains("--sotrage"), "{said}");
}
