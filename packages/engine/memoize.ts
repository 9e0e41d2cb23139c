const most = 10_000;

/**
 * `make`, called once a text: for names and keys that nearly every event asks for. To look a text up costs less than to put
 * one together. Begins anew beyond 10,000 texts, since strangers choose some of them.
 */
export function memoize(make: (text: string) => string): (text: string) => string {
  const made = new Map<string, string>();
  return (text) => {
    let known = made.get(text);
    if (known === undefined) {
      known = make(text);
      if (made.size >= most) made.clear();
      made.set(text, known);
    }
    return known;
  };
}
