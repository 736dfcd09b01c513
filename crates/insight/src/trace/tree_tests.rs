use super::*;
use crate::trace::Work;

/// A call of a function, from one moment to another.
fn call(id: &str, parent: Option<&str>, function: &str, from: i64, to: i64) -> Call {
    Call {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        function: Arc::new(Function { name: function.to_owned(), ..Function::default() }),
        work: Work::Function,
        start_ns: from,
        duration_ns: (to - from).cast_unsigned(),
        cpu_ns: None,
        memory_delta: None,
        exception: None,
        detail: None,
    }
}

fn ids(tree: &Tree) -> Vec<&str> {
    tree.calls().iter().map(|call| call.id.as_str()).collect()
}

#[test]
fn a_call_comes_after_the_one_that_made_it_and_otherwise_by_time() {
    let calls = [
        call("late", Some("root"), "b", 50, 60),
        call("below", Some("early"), "c", 12, 13),
        call("early", Some("root"), "a", 10, 20),
        call("root", None, "main", 0, 100),
        call("other", Some("not there"), "main", 5, 6),
    ];
    let tree = Tree::new(calls);
    assert_eq!(ids(&tree), ["root", "early", "below", "late", "other"]);
    assert_eq!(tree.roots(), [0, 4]);
    assert_eq!(tree.nodes().iter().map(|node| node.depth).collect::<Vec<_>>(), [0, 1, 2, 1, 0]);
    assert_eq!((tree.below(0), tree.below(1), tree.below(3), tree.below(4)), (0..4, 1..3, 3..4, 4..5));
    assert_eq!(tree.functions().len(), 4, "one function is one, though it was told twice");
    assert_eq!((tree.find("late"), tree.find("not there")), (Some(3), None));
}

#[test]
fn own_time_is_what_no_call_covers_though_some_overlap_or_go_on() {
    let tree = Tree::new([
        call("root", None, "main", 0, 100),
        call("a", Some("root"), "a", 10, 40),
        call("b", Some("root"), "b", 30, 50),
        call("inside", Some("root"), "c", 35, 45),
        call("goes on", Some("root"), "d", 90, 500),
        call("before", Some("root"), "e", -20, 5),
    ]);
    // covered: 0 to 5, 10 to 50, 90 to 100
    assert_eq!(tree.nodes()[0].self_ns, 45);
    let long = tree.find("goes on").expect("it is there");
    assert_eq!(tree.nodes()[long].self_ns, 410);
}

#[test]
fn a_function_on_the_way_to_itself_is_recursive_and_one_beside_itself_is_not() {
    let tree = Tree::new([
        call("1", None, "walk", 0, 100),
        call("2", Some("1"), "visit", 1, 50),
        call("3", Some("2"), "walk", 2, 40),
        call("4", Some("1"), "visit", 60, 70),
    ]);
    let recursive: Vec<bool> = tree.nodes().iter().map(|node| node.is_recursive).collect();
    assert_eq!(recursive, [false, false, true, false]);
}

#[test]
fn a_call_that_comes_twice_counts_once_and_circles_end() {
    let tree = Tree::new([call("a", None, "f", 0, 9), call("a", None, "g", 0, 5)]);
    assert_eq!((tree.calls().len(), tree.functions()[0].name.as_str()), (1, "f"));
    let circle = [
        call("self", Some("self"), "f", 3, 4),
        call("y", Some("x"), "f", 2, 3),
        call("x", Some("y"), "f", 1, 2),
        call("z", Some("x"), "f", 5, 6),
    ];
    let tree = Tree::new(circle.clone());
    assert_eq!(ids(&tree), ["x", "y", "z", "self"]);
    assert_eq!(tree.roots(), [0, 3]);
    // in whatever order they are told
    let turned: Vec<Call> = circle.into_iter().rev().collect();
    assert_eq!(ids(&Tree::new(turned)), ["x", "y", "z", "self"]);
}

#[test]
fn a_very_deep_tree_is_no_trouble() {
    let calls = (0..50_000_i64).map(|i| {
        let parent = (i > 0).then(|| (i - 1).to_string());
        call(&i.to_string(), parent.as_deref(), "f", i, 100_000 - i)
    });
    let tree = Tree::new(calls);
    assert_eq!(tree.nodes().last().expect("calls").depth, 49_999);
    assert!(Tree::new([]).calls().is_empty());
}
