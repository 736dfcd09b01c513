use super::*;
use crate::trace::OperationKind;

/// A span of a function, from one time to another.
fn span(id: &str, parent: Option<&str>, function: &str, from: i64, to: i64) -> Span {
    Span {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        function: Arc::new(Function { name: function.to_owned(), ..Function::default() }),
        kind: OperationKind::Function,
        start_ns: from,
        duration_ns: (to - from).cast_unsigned(),
        cpu_ns: None,
        memory_delta: None,
        exception: None,
        detail: None,
    }
}

fn ids(tree: &Tree) -> Vec<&str> {
    tree.spans().iter().map(|span| span.id.as_str()).collect()
}

#[test]
fn spans_follow_their_parent_and_are_ordered_by_time() {
    let spans = [
        span("late", Some("root"), "b", 50, 60),
        span("below", Some("early"), "c", 12, 13),
        span("early", Some("root"), "a", 10, 20),
        span("root", None, "main", 0, 100),
        span("other", Some("not there"), "main", 5, 6),
    ];
    let tree = Tree::new(spans);
    assert_eq!(ids(&tree), ["root", "early", "below", "late", "other"]);
    assert_eq!(tree.roots(), [0, 4]);
    assert_eq!(tree.nodes().iter().map(|node| node.depth).collect::<Vec<_>>(), [0, 1, 2, 1, 0]);
    assert_eq!(
        (tree.subtree(0), tree.subtree(1), tree.subtree(3), tree.subtree(4)),
        (0..4, 1..3, 3..4, 4..5)
    );
    assert_eq!(tree.functions().len(), 4, "equal functions are counted once");
    assert_eq!((tree.find("late"), tree.find("not there")), (Some(3), None));
}

#[test]
fn self_time_excludes_children_that_overlap_or_outlast() {
    let tree = Tree::new([
        span("root", None, "main", 0, 100),
        span("a", Some("root"), "a", 10, 40),
        span("b", Some("root"), "b", 30, 50),
        span("inside", Some("root"), "c", 35, 45),
        span("goes on", Some("root"), "d", 90, 500),
        span("before", Some("root"), "e", -20, 5),
    ]);
    // covered: 0 to 5, 10 to 50, 90 to 100
    assert_eq!(tree.nodes()[0].self_ns, 45);
    let long = tree.find("goes on").expect("it is there");
    assert_eq!(tree.nodes()[long].self_ns, 410);
}

#[test]
fn only_a_function_below_itself_is_recursive() {
    let tree = Tree::new([
        span("1", None, "walk", 0, 100),
        span("2", Some("1"), "visit", 1, 50),
        span("3", Some("2"), "walk", 2, 40),
        span("4", Some("1"), "visit", 60, 70),
    ]);
    let recursive: Vec<bool> = tree.nodes().iter().map(|node| node.is_recursive).collect();
    assert_eq!(recursive, [false, false, true, false]);
}

#[test]
fn duplicate_spans_are_counted_once_and_cycles_are_broken() {
    let tree = Tree::new([span("a", None, "f", 0, 9), span("a", None, "g", 0, 5)]);
    assert_eq!((tree.spans().len(), tree.functions()[0].name.as_str()), (1, "f"));
    let circle = [
        span("self", Some("self"), "f", 3, 4),
        span("y", Some("x"), "f", 2, 3),
        span("x", Some("y"), "f", 1, 2),
        span("z", Some("x"), "f", 5, 6),
    ];
    let tree = Tree::new(circle.clone());
    assert_eq!(ids(&tree), ["x", "y", "z", "self"]);
    assert_eq!(tree.roots(), [0, 3]);
    // in whatever order they arrive
    let turned: Vec<Span> = circle.into_iter().rev().collect();
    assert_eq!(ids(&Tree::new(turned)), ["x", "y", "z", "self"]);
}

#[test]
fn a_very_deep_tree_is_handled() {
    let spans = (0..50_000_i64).map(|i| {
        let parent = (i > 0).then(|| (i - 1).to_string());
        span(&i.to_string(), parent.as_deref(), "f", i, 100_000 - i)
    });
    let tree = Tree::new(spans);
    assert_eq!(tree.nodes().last().expect("spans").depth, 49_999);
    assert!(Tree::new([]).spans().is_empty());
}
