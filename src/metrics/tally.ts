/** Bytes or events so far. Adding is a plain addition: safe on the hottest path. */
export class Tally {
  value = 0;

  add(amount: number): void {
    this.value += amount;
  }
}

/** One tally for each value of a label. */
export type Tallies<Label extends string> = Readonly<Record<Label, Tally>>;

export function tallies<Label extends string>(labels: readonly Label[]): Tallies<Label> {
  return Object.fromEntries(labels.map((label) => [label, new Tally()])) as unknown as Tallies<Label>;
}

/** One sample of a metric: its labels and its value. */
export type Row = readonly [labels: Readonly<Record<string, string>>, value: number];

/** The samples of tallies under that label. */
export function rowsOf<Label extends string>(label: string, all: Tallies<Label>): Row[] {
  return Object.entries<Tally>(all).map(([value, tally]) => [{ [label]: value }, tally.value]);
}
