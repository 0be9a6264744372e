//! What is planned for the end of a subscription's period: its `subscription_schedule`, which Stripe writes into the
//! subscription as an id, or whole if it is expanded.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::stripe::objects::fields::{Fields, Unreadable};

/// What a subscription says of its schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// It has none.
    Absent,
    /// It has this one, of which only the id was sent.
    Named(String),
    /// It has one. `None`: no phase is left in it.
    Read(Option<NextPhase>),
}

/// The phase that follows the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPhase {
    pub prices: Vec<String>,
    pub starts_at: Timestamp,
}

/// The subscription of a schedule, from an event about the schedule. The event is only a hint: what is planned is read
/// from the subscription itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleHint {
    pub id: String,
    /// The subscription that it plans for, or planned for before it was released.
    pub subscription: Option<String>,
}

impl Schedule {
    /// Reads the field `schedule` of a subscription.
    pub(super) fn read(subscription: &Fields<'_>) -> Result<Schedule, Unreadable> {
        match subscription.value("/schedule") {
            Some(whole @ Value::Object(_)) => Ok(Schedule::Read(next_phase(whole)?)),
            _ => Ok(subscription.text("/schedule")?.map_or(Schedule::Absent, Schedule::Named)),
        }
    }
}

impl ScheduleHint {
    /// Reads it from a schedule in Stripe's JSON.
    pub fn read(value: &Value) -> Result<ScheduleHint, Unreadable> {
        let fields = Fields::of("subscription schedule", value)?;
        let subscription = fields.first_reference(&["/subscription", "/released_subscription"])?;
        Ok(ScheduleHint { id: fields.id()?, subscription })
    }
}

/// The first phase that begins when the current one ends, or later. Time alone does not decide, because a test clock has
/// its own.
fn next_phase(value: &Value) -> Result<Option<NextPhase>, Unreadable> {
    let fields = Fields::of("subscription schedule", value)?;
    let (status, current_end) = (fields.word("/status")?, fields.time("/current_phase/end_date")?);
    let Some(current_end) = current_end.filter(|_| status == "active") else { return Ok(None) };
    let phases = fields.array("/phases")?.map(Vec::as_slice).unwrap_or_default();
    let phases = phases.iter().map(phase).collect::<Result<Vec<Option<NextPhase>>, Unreadable>>()?;
    let later = phases.into_iter().flatten().filter(|phase| phase.starts_at >= current_end);
    Ok(later.min_by_key(|phase| phase.starts_at))
}

fn phase(value: &Value) -> Result<Option<NextPhase>, Unreadable> {
    let fields = Fields::of("phase of a subscription schedule", value)?;
    let items = fields.array("/items")?.map(Vec::as_slice).unwrap_or_default();
    let price = |item: &Value| Fields::of("item of a phase", item)?.first_reference(&["/price", "/plan"]);
    let prices = items.iter().map(price).collect::<Result<Vec<Option<String>>, Unreadable>>()?;
    let starts_at = fields.time("/start_date")?;
    Ok(starts_at.map(|starts_at| NextPhase { prices: prices.into_iter().flatten().collect(), starts_at }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_phase_is_the_one_after_the_current_one() {
        let phases = json!([
            {"start_date": 100, "end_date": 200, "items": [{"price": "price_pro"}]},
            {"start_date": 200, "end_date": 300, "items": [{"price": {"id": "price_starter"}}, {"plan": "price_old"}]},
        ]);
        let next = NextPhase {
            prices: vec!["price_starter".to_owned(), "price_old".to_owned()],
            starts_at: Timestamp::from_seconds(200),
        };
        let current = |end: i64| {
            json!({"id": "sub_sched_1", "status": "active", "phases": phases,
                                        "current_phase": {"start_date": end - 100, "end_date": end}})
        };
        let released = json!({"id": "sub_sched_1", "status": "released", "phases": phases, "current_phase": null});
        for (schedule, expected) in [
            (json!(null), Schedule::Absent),
            (json!("sub_sched_1"), Schedule::Named("sub_sched_1".to_owned())),
            (current(200), Schedule::Read(Some(next))),
            (current(300), Schedule::Read(None)),
            (released, Schedule::Read(None)),
        ] {
            let subscription = json!({ "id": "sub_1", "schedule": schedule });
            let found = Schedule::read(&Fields::of("subscription", &subscription).unwrap()).unwrap();
            assert_eq!(found, expected, "{subscription}");
        }
    }
}
