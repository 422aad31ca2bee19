//! Families of processes, and the ids they make.

use std::collections::HashSet;
use std::io::{PipeWriter, Read as _, Write as _};

use fork::{Fork, fork, waitpid};
use sessile_core::{Entropy, FastEntropy, OsEntropy, SessionId};

/// How many ids each member of a family makes.
const IDS: usize = 10_000;

pub(crate) fn run() {
    for source in [&FastEntropy as &dyn Entropy, &OsEntropy] {
        // The rest of the bits made ahead is everything, some, the middle of an id, or nothing.
        for used in [0, 1, 5, 9, 10] {
            parent_and_child_share_no_id(source, used);
        }
        siblings_share_no_id(source);
        generations_share_no_id(source);
        threads_of_a_child_share_no_id_with_those_of_its_parent(source);
        println!("{source:?}: no id twice");
    }
}

fn parent_and_child_share_no_id(source: &dyn Entropy, used: usize) {
    let before = ids(source, used);
    let child = Child::bear(|pipe| pour(pipe, &ids(source, IDS)));
    let after = ids(source, IDS);
    assert_all_differ([before, after, child.ids()], used + 2 * IDS);
}

fn siblings_share_no_id(source: &dyn Entropy) {
    let before = ids(source, 1);
    let children: Vec<_> = (0..4)
        .map(|_| Child::bear(|pipe| pour(pipe, &ids(source, IDS))))
        .collect();
    let theirs = children.into_iter().map(Child::ids);
    assert_all_differ(theirs.chain([before]), 4 * IDS + 1);
}

/// The second fork is noticed like the first, by a child that has made ids since, and by one that has not.
fn generations_share_no_id(source: &dyn Entropy) {
    for between in [0, 5] {
        let before = ids(source, 5);
        let child = Child::bear(|pipe| {
            pour(pipe, &ids(source, between));
            let grandchild = Child::bear(|pipe| pour(pipe, &ids(source, IDS)));
            pour(pipe, &ids(source, IDS));
            pour(pipe, &grandchild.ids());
        });
        let after = ids(source, IDS);
        assert_all_differ([before, after, child.ids()], 5 + between + 3 * IDS);
    }
}

fn threads_of_a_child_share_no_id_with_those_of_its_parent(source: &dyn Entropy) {
    let in_threads = |threads| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| ids(source, IDS))).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect::<Vec<_>>()
        })
    };
    // Their stacks, with all that was on them, are in the child, which may give them to its own threads.
    let before = in_threads(2);
    let child = Child::bear(|pipe| pour(pipe, &in_threads(2)));
    let after = in_threads(2);
    assert_all_differ([before, after, child.ids()], 6 * IDS);
}

type Ids = Vec<[u8; SessionId::LEN]>;

fn ids(source: &dyn Entropy, count: usize) -> Ids {
    let made = (0..count).map(|_| SessionId::generate(source));
    made.map(|id| id.expose().as_bytes().try_into().unwrap()).collect()
}

fn pour(pipe: &mut PipeWriter, ids: &Ids) {
    pipe.write_all(ids.as_flattened()).unwrap();
}

fn assert_all_differ(families: impl IntoIterator<Item = Ids>, made: usize) {
    let all: Vec<_> = families.into_iter().flatten().collect();
    assert_eq!(all.len(), made, "every member has told its ids");
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(made - different.len(), 0, "ids that were given twice");
}

/// A process that was forked.
struct Child {
    process: i32,
    pipe: std::io::PipeReader,
}

impl Child {
    /// Forks a child that does this, and ends.
    fn bear(work: impl FnOnce(&mut PipeWriter)) -> Self {
        let (pipe, mut writer) = std::io::pipe().unwrap();
        match fork().unwrap() {
            Fork::Parent(process) => Self { process, pipe },
            Fork::Child => {
                work(&mut writer);
                drop(writer);
                std::process::exit(0)
            }
        }
    }

    /// The ids that it tells, once it has ended.
    fn ids(mut self) -> Ids {
        let mut told = Vec::new();
        self.pipe.read_to_end(&mut told).unwrap();
        assert_eq!(waitpid(self.process).unwrap(), 0, "the child has ended well");
        let (ids, rest) = told.as_chunks();
        assert!(rest.is_empty());
        ids.to_vec()
    }
}
