import { Fields } from '../fields.ts';

/**
 * Fields of a stored response at one time: those that stay the same, then Age. Whoever has made something of the lasting
 * ones need not look at them again when Age has changed; the list of all is only made for who asks for it.
 */
export class FieldsAtAge extends Fields {
  /** The same object each time, without Age. */
  readonly lasting: Fields;
  readonly ageSeconds: number;
  #raw: readonly string[] | undefined;

  constructor(lasting: Fields, ageSeconds: number) {
    super(lasting.raw);
    this.lasting = lasting;
    this.ageSeconds = ageSeconds;
  }

  override get raw(): readonly string[] {
    this.#raw ??= [...this.lasting.raw, 'Age', String(this.ageSeconds)];
    return this.#raw;
  }

  override get(name: string): string | undefined {
    return isAge(name) ? String(this.ageSeconds) : this.lasting.get(name);
  }

  override has(name: string): boolean {
    return isAge(name) || this.lasting.has(name);
  }
}

function isAge(name: string): boolean {
  return name.length === 3 && name.toLowerCase() === 'age';
}
