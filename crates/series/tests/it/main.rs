//! The integration tests of the crate, one file per topic. Must not know the crate's private parts.

#[cfg(test)]
mod promql_semantics;
#[cfg(test)]
mod promqltest;
#[cfg(test)]
mod promqltest_script;
#[cfg(test)]
mod promqltest_source;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod rules_active;
#[cfg(test)]
mod rules_edits;
#[cfg(test)]
mod rules_load;
#[cfg(test)]
mod rules_of_one_name;
#[cfg(test)]
mod rules_program;
#[cfg(test)]
mod rules_template;
#[cfg(test)]
mod rules_unit_test;
#[cfg(test)]
mod rules_view;
#[cfg(test)]
mod store;
