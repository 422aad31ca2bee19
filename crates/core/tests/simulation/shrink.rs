//! Shrinks a plan that fails.

use crate::plan::Plan;
use crate::run::run;

/// The number of orders in which a smaller plan is tried.
const ORDERS: u64 = 12;

/// Returns the smallest plan found that still fails this check.
pub(crate) fn shrink(plan: Plan, check: &str) -> Plan {
    let mut smallest = plan;
    'smaller: loop {
        for smaller in smallest.smaller() {
            let orders = (0..ORDERS).map(|order| Plan {
                order,
                ..smaller.clone()
            });
            let failing = orders
                .into_iter()
                .find(|plan| run(plan, false).verdict.is_err_and(|(failed, _)| failed == check));
            if let Some(failing) = failing {
                smallest = failing;
                continue 'smaller;
            }
        }
        return smallest;
    }
}
