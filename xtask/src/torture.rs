//! `cargo xtask torture`: tests in their full size.

use crate::Failure;
use crate::cargo::{cargo, step};

pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let (what, rest) = arguments.split_first().ok_or("what is to be tortured? known: count")?;
    let mut rounds = "1000";
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        match (*argument, rest.next()) {
            ("--rounds", Some(number)) if number.parse::<u32>().is_ok_and(|number| number > 0) => rounds = number,
            ("--rounds", _) => return Err("--rounds takes a number".to_owned()),
            (other, _) => return Err(format!("{other} is not an option of this task")),
        }
    }
    match *what {
        "count" => step(
            &format!("parallel counting, {rounds} rounds"),
            cargo("test")
                .args(["--release", "--package", "example-shop", "--test", "shop"])
                .args(["--", "--nocapture", "count::"])
                .env("SHOP_ROUNDS", rounds),
        ),
        other => Err(format!("{other} cannot be tortured; known: count")),
    }
}
