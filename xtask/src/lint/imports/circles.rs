//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Returns a shortest circle of each group of nodes that reach each other: its nodes, each with the arrow to the next.
pub(super) fn of<T: Copy>(arrows: impl IntoIterator<Item = (String, String, T)>) -> Vec<Vec<(String, T)>> {
    let mut graph: BTreeMap<String, BTreeMap<String, T>> = BTreeMap::new();
    for (from, to, arrow) in arrows {
        // The first arrow between two nodes stands for all of them.
        graph.entry(from).or_default().entry(to).or_insert(arrow);
    }
    let mut circles = Vec::new();
    let mut reported = BTreeSet::new();
    for start in graph.keys() {
        if reported.contains(start) {
            continue;
        }
        let Some(circle) = shortest_through(&graph, start) else {
            continue;
        };
        // The other nodes of the group are on longer circles. One at a time is enough to mend them.
        let below = reachable(&graph, start);
        let group = below.into_iter().filter(|node| reachable(&graph, node).contains(start));
        reported.extend(group);
        circles.push(circle);
    }
    circles
}

/// Returns a shortest circle through a node, by breadth-first search.
fn shortest_through<T: Copy>(
    graph: &BTreeMap<String, BTreeMap<String, T>>,
    start: &String,
) -> Option<Vec<(String, T)>> {
    let mut came_from: BTreeMap<&String, (&String, T)> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for (next, arrow) in graph.get(node).into_iter().flatten() {
            if came_from.contains_key(next) {
                continue;
            }
            came_from.insert(next, (node, *arrow));
            if next == start {
                return Some(walk_back(&came_from, start));
            }
            queue.push_back(next);
        }
    }
    None
}

fn walk_back<T: Copy>(came_from: &BTreeMap<&String, (&String, T)>, start: &String) -> Vec<(String, T)> {
    let mut circle = Vec::new();
    let mut node = start;
    loop {
        let (before, arrow) = came_from[node];
        circle.push((before.clone(), arrow));
        node = before;
        if node == start {
            break;
        }
    }
    circle.reverse();
    circle
}

fn reachable<T>(graph: &BTreeMap<String, BTreeMap<String, T>>, start: &String) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut stack = vec![start];
    while let Some(node) = stack.pop() {
        for next in graph.get(node).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(next.clone()) {
                stack.push(next);
            }
        }
    }
    found
}
