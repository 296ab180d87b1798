"""What happens at set times: EventBridge rules with a schedule and EventBridge Scheduler's schedules."""
