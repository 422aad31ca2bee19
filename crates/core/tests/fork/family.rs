//! Families of processes, and the ids that they generate.

use std::collections::HashSet;
use std::io::{PipeWriter, Read as _, Write as _};

use fork::{Fork, fork, waitpid};
use sessile_core::{Entropy, FastEntropy, OsEntropy, SessionId};

/// The number of ids that each process of a family generates.
const IDS: usize = 10_000;

pub(crate) fn run() {
    for source in [&FastEntropy as &dyn Entropy, &OsEntropy] {
        // The rest of the buffered random bits is all of them, some, the middle of an id, or none.
        for used in [0, 1, 5, 9, 10] {
            parent_and_child_share_no_id(source, used);
        }
        siblings_share_no_id(source);
        generations_share_no_id(source);
        threads_of_a_child_share_no_id_with_those_of_its_parent(source);
        println!("{source:?}: no duplicate id");
    }
}

fn parent_and_child_share_no_id(source: &dyn Entropy, used: usize) {
    let before = ids(source, used);
    let child = Child::spawn(|pipe| send(pipe, &ids(source, IDS)));
    let after = ids(source, IDS);
    assert_all_differ([before, after, child.ids()], used + 2 * IDS);
}

fn siblings_share_no_id(source: &dyn Entropy) {
    let before = ids(source, 1);
    let children: Vec<_> = (0..4)
        .map(|_| Child::spawn(|pipe| send(pipe, &ids(source, IDS))))
        .collect();
    let theirs = children.into_iter().map(Child::ids);
    assert_all_differ(theirs.chain([before]), 4 * IDS + 1);
}

/// The second fork is detected like the first, by a child that has generated ids since, and by one that has not.
fn generations_share_no_id(source: &dyn Entropy) {
    for between in [0, 5] {
        let before = ids(source, 5);
        let child = Child::spawn(|pipe| {
            send(pipe, &ids(source, between));
            let grandchild = Child::spawn(|pipe| send(pipe, &ids(source, IDS)));
            send(pipe, &ids(source, IDS));
            send(pipe, &grandchild.ids());
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
    // The child has a copy of their stacks, and may reuse them for its own threads.
    let before = in_threads(2);
    let child = Child::spawn(|pipe| send(pipe, &in_threads(2)));
    let after = in_threads(2);
    assert_all_differ([before, after, child.ids()], 6 * IDS);
}

type Ids = Vec<[u8; SessionId::LEN]>;

fn ids(source: &dyn Entropy, count: usize) -> Ids {
    let made = (0..count).map(|_| SessionId::generate(source));
    made.map(|id| id.expose().as_bytes().try_into().unwrap()).collect()
}

fn send(pipe: &mut PipeWriter, ids: &Ids) {
    pipe.write_all(ids.as_flattened()).unwrap();
}

fn assert_all_differ(families: impl IntoIterator<Item = Ids>, made: usize) {
    let all: Vec<_> = families.into_iter().flatten().collect();
    assert_eq!(all.len(), made, "every process has sent its ids");
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(made - different.len(), 0, "ids that were generated twice");
}

/// A forked process.
struct Child {
    process: i32,
    pipe: std::io::PipeReader,
}

impl Child {
    /// Forks a child that runs this function and exits.
    fn spawn(work: impl FnOnce(&mut PipeWriter)) -> Self {
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

    /// Waits for the end of the process and returns the ids that it has sent.
    fn ids(mut self) -> Ids {
        let mut received = Vec::new();
        self.pipe.read_to_end(&mut received).unwrap();
        assert_eq!(waitpid(self.process).unwrap(), 0, "the child exits successfully");
        let (ids, rest) = received.as_chunks();
        assert!(rest.is_empty());
        ids.to_vec()
    }
}
