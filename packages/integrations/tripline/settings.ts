/** What of the whole settings it reads. It has none of its own: whether there is a broker is the broker's to say. */
export type Needs = { broker: { policy?: unknown } };
