//! The people of a ceremony: how many of each role must be present, and how many confirm prompts.

use serde::Deserialize;

use crate::media::shown;
use crate::record::{Person, Role, count};

/// Maximum number of people in one role.
const MOST: usize = 16;

/// A number of people for each role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Count {
    /// Administrators.
    pub administrator: usize,
    /// Operators.
    pub operator: usize,
    /// Witnesses.
    pub witness: usize,
    /// Custodians.
    pub custodian: usize,
}

impl Count {
    /// Returns the number of people in this role.
    pub fn of(&self, role: Role) -> usize {
        match role {
            Role::Administrator => self.administrator,
            Role::Operator => self.operator,
            Role::Witness => self.witness,
            Role::Custodian => self.custodian,
        }
    }

    /// Formats the counts: "1 operator, 2 witnesses".
    pub fn text(&self) -> String {
        let roles = Role::ALL.iter().filter(|role| self.of(**role) > 0);
        roles.map(|role| count(self.of(*role) as u64, role.as_str())).collect::<Vec<_>>().join(", ")
    }
}

/// The table `people` of a script. The default is one operator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Roles {
    /// Administrators.
    pub administrator: usize,
    /// Operators.
    pub operator: usize,
    /// Witnesses.
    pub witness: usize,
    /// Custodians.
    pub custodian: usize,
    /// Number of people who confirm prompts, unless a step specifies otherwise.
    pub confirm: Count,
    /// Pairs of roles that one person may hold together.
    pub may_share: Vec<(Role, Role)>,
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            administrator: 0,
            operator: 1,
            witness: 0,
            custodian: 0,
            confirm: Count { operator: 1, ..Count::default() },
            may_share: Vec::new(),
        }
    }
}

impl Roles {
    /// Returns the number of people for each role.
    pub fn count(&self) -> Count {
        let Self { administrator, operator, witness, custodian, .. } = *self;
        Count { administrator, operator, witness, custodian }
    }

    /// Returns the number of people in this role.
    pub fn of(&self, role: Role) -> usize {
        self.count().of(role)
    }

    /// Returns each role once per person, in the order of signing in, with a number from 1 within the role.
    pub fn all(&self) -> impl Iterator<Item = (Role, usize)> {
        let count = self.count();
        Role::ALL.into_iter().flat_map(move |role| (1..=count.of(role)).map(move |number| (role, number)))
    }

    /// Whether one person may hold both roles.
    pub fn may_share(&self, one: Role, other: Role) -> bool {
        self.may_share.iter().any(|pair| *pair == (one, other) || *pair == (other, one))
    }

    /// Returns why this person cannot sign in in addition to those who did: one person has one role, unless
    /// `may_share` allows two.
    pub fn conflict(&self, present: &[Person], person: &Person) -> Option<String> {
        let other =
            present.iter().find(|other| other.is(person) && !self.may_share(other.role, person.role))?;
        Some(format!(
            "{} has already signed in as {}; the script requires a different person as {}",
            shown(&person.name),
            other.role.as_str(),
            person.role.as_str()
        ))
    }

    /// Checks the numbers of people and the pairs of roles.
    pub fn check(&self) -> Result<(), String> {
        if self.operator == 0 {
            return Err("operator is 0, must be at least 1: somebody must type".into());
        }
        for role in Role::ALL {
            if self.of(role) > MOST {
                return Err(format!("{} is {}, must be at most {MOST}", role.as_str(), self.of(role)));
            }
        }
        for (one, other) in &self.may_share {
            if one == other || self.of(*one) == 0 || self.of(*other) == 0 {
                return Err(format!(
                    "may_share pairs {} with {}; a pair must be of two different roles with at least one person each",
                    one.as_str(),
                    other.as_str()
                ));
            }
        }
        self.check_confirm(&self.confirm)
    }

    /// Checks that the confirming people are present and distinct.
    pub fn check_confirm(&self, confirm: &Count) -> Result<(), String> {
        let asked: Vec<Role> = Role::ALL.into_iter().filter(|role| confirm.of(*role) > 0).collect();
        if asked.is_empty() {
            return Err("confirm is empty, must require at least one person".into());
        }
        for role in &asked {
            if confirm.of(*role) > self.of(*role) {
                return Err(format!(
                    "confirm requires {}, [people] has {}",
                    count(confirm.of(*role) as u64, role.as_str()),
                    self.of(*role)
                ));
            }
            if let Some(other) = asked.iter().find(|other| self.may_share(*role, **other)) {
                return Err(format!(
                    "confirm requires {} and {}, which may_share allows one person to hold",
                    role.as_str(),
                    other.as_str()
                ));
            }
        }
        Ok(())
    }
}
