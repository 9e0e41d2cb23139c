const most = 10_000;

/**
 * `make`, made once a text: for keys that nearly every event of a repository names. To find a text that is known costs
 * less than to put one together and to find what stands under it.
 */
export function remembered(make: (text: string) => string): (text: string) => string {
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
