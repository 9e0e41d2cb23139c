/** Whether a routing key has the form that PagerDuty gives them. There is no way to ask that would not page somebody. */
export function isRoutingKey(key: string): boolean {
  return /^[A-Za-z0-9]{32}$/.test(key);
}
