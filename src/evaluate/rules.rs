//! The rule groups as they were after their last evaluations: what everybody but the evaluator sees of them.
//!
//! Whoever reads holds up no evaluation, and an evaluation no reader. Must not know when groups are evaluated.

use std::sync::Arc;

use arc_swap::ArcSwap;
use series::rule::GroupView;

/// The published rule groups, shared by the evaluator, which writes them, and those who show them.
#[derive(Debug)]
pub struct Rules(ArcSwap<Arc<[GroupView]>>);

impl Default for Rules {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Arc::new([])))
    }
}

impl Rules {
    /// The groups in the order of the files, as they were after their last evaluations.
    pub fn views(&self) -> Arc<[GroupView]> {
        Arc::clone(&self.0.load())
    }

    /// Publishes all groups.
    pub fn publish(&self, views: impl IntoIterator<Item = GroupView>) {
        self.0.store(Arc::new(views.into_iter().collect()));
    }

    /// Publishes the group at a position anew, and the others as they were. There is only one who publishes.
    pub(super) fn publish_one(&self, position: usize, view: &GroupView) {
        let views = self.views();
        let views = views.iter().enumerate();
        self.publish(
            views.map(|(index, old)| if index == position { view.clone() } else { old.clone() }),
        );
    }
}

#[cfg(test)]
mod tests {
    use series::{
        rule::{External, GroupState},
        store::Store,
    };

    use super::*;

    #[test]
    fn a_reader_keeps_what_it_has_while_a_group_is_published_anew() {
        let file =
            "groups:\n- {name: a, rules: [{alert: A, expr: vector(1)}]}\n- {name: b, rules: []}\n";
        let groups = series::rule::load(file).unwrap().groups;
        let mut states: Vec<GroupState> = groups.into_iter().map(GroupState::new).collect();
        let rules = Rules::default();
        rules.publish(states.iter().map(GroupView::of));
        let before = rules.views();
        states[0].evaluate(&Store::in_memory(), 1000, &External::default());
        rules.publish_one(0, &GroupView::of(&states[0]));
        let evaluated = |views: &[GroupView]| -> Vec<_> {
            views.iter().map(|view| (view.group().name.clone(), view.last_evaluation())).collect()
        };
        let group = |name: &str, at| (name.to_owned(), at);
        assert_eq!(evaluated(&before), [group("a", None), group("b", None)]);
        assert_eq!(evaluated(&rules.views()), [group("a", Some(1000)), group("b", None)]);
    }
}
