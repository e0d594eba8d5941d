import sax from 'sax';

/** A value and where it stands in the source: bytes first .. end - 1, still encoded there. */
export interface SourceText {
  readonly value: string;
  readonly first: number;
  readonly end: number;
}

/** One `S` of a segment timeline, as written; `duration` 0 where it is not understood. */
export interface TimelineEntry {
  readonly time: bigint | undefined;
  readonly duration: number;
  readonly repeat: number;
}

/** An element of an MPD that somebody here asks for. Elements that nobody asks for are left out with all they hold. */
export interface MpdElement {
  /** Local name: any prefix for the namespace is taken off. */
  readonly name: string;
  /** By name as written, so that `xlink:href` is not `href`. */
  readonly attributes: ReadonlyMap<string, SourceText>;
  readonly children: readonly MpdElement[];
  /** What stands between the tags, trimmed; undefined where markup is among it. */
  readonly text: SourceText | undefined;
  /** Of a `SegmentTimeline`. */
  readonly timeline: readonly TimelineEntry[];
}

const depthMax = 32;
const elementsMax = 100_000;
const attributesPerElementMax = 64;
const childrenMax = 20_000;

const kept: ReadonlySet<string> = new Set([
  ...['MPD', 'Period', 'AdaptationSet', 'Representation', 'BaseURL', 'Location', 'PatchLocation', 'UTCTiming'],
  ...['SegmentTemplate', 'SegmentTimeline', 'SegmentBase', 'SegmentList', 'SegmentURL', 'S', 'InitializationSet'],
  ...['Initialization', 'RepresentationIndex', 'BitstreamSwitching', 'EssentialProperty', 'SupplementalProperty'],
]);

interface Draft {
  readonly name: string;
  readonly attributes: Map<string, SourceText>;
  readonly children: Draft[];
  readonly timeline: TimelineEntry[];
  readonly contentFirst: number;
  text: SourceText | undefined;
}

/**
 * The elements of an XML document in UTF-8. It is read as Latin-1, so that positions count bytes and whatever is not
 * understood stays as it is. Entities of a document type are not known here: a document that uses one is refused.
 * @throws Error for what is not well-formed, is not UTF-8 by its own account, or is deeper or larger than any real MPD
 */
export function readMpdXml(bytes: Buffer): MpdElement {
  const skipped = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  const source = bytes.toString('latin1', skipped);
  return new MpdReader(source, skipped).read();
}

class MpdReader {
  readonly #source: string;
  readonly #skipped: number;
  readonly #parser = sax.parser(true, { position: true });
  /** Undefined: inside an element that nobody asks for. */
  readonly #open: (Draft | undefined)[] = [];
  #attributes = new Map<string, SourceText>();
  #elements = 0;
  #root: Draft | undefined;

  constructor(source: string, skipped: number) {
    this.#source = source;
    this.#skipped = skipped;
  }

  read(): MpdElement {
    // Named first (docs/glossary.md).
    const handlers: Partial<sax.SAXParser> = {
      onerror(error) {
        throw error;
      },
      onprocessinginstruction({ name, body }) {
        if (name === 'xml') refuseOtherEncodings(body);
      },
      onattribute: ({ name }) => this.#attribute(name),
      onopentag: ({ name, isSelfClosing }) => this.#opened(localName(name), isSelfClosing),
      onclosetag: () => this.#closed(),
    };
    const parser = Object.assign(this.#parser, handlers);
    parser.write(this.#source).close();
    if (this.#root === undefined) throw new Error('the document has no element');
    return this.#root;
  }

  #attribute(name: string): void {
    if (this.#attributes.size >= attributesPerElementMax) throw new Error(`too many attributes before ${name}`);
    const end = this.#parser.position - 1;
    const quote = this.#source[end] ?? '';
    const first = this.#source.lastIndexOf(quote, end - 1) + 1;
    if ((quote !== '"' && quote !== "'") || first === 0) throw new Error(`the value of ${name} is not in quotes`);
    const value = decoded(this.#source.slice(first, end)).replaceAll(/[\t\r\n]/g, ' ');
    this.#attributes.set(name, { value, first: first + this.#skipped, end: end + this.#skipped });
  }

  #opened(name: string, isSelfClosing: boolean): void {
    const attributes = this.#attributes;
    this.#attributes = new Map();
    if (++this.#elements > elementsMax) throw new Error(`more than ${elementsMax} elements`);
    if (this.#open.length >= depthMax) throw new Error(`elements more than ${depthMax} deep`);
    const parent = this.#open.at(-1);
    const wanted = kept.has(name) && (this.#open.length === 0 || parent !== undefined);
    const contentFirst = isSelfClosing ? -1 : this.#parser.position;
    const draft = wanted ? { name, attributes, children: [], timeline: [], contentFirst, text: undefined } : undefined;
    this.#open.push(draft);
    if (draft === undefined) return;
    if (this.#open.length === 1) this.#root = draft;
    if (parent === undefined) return;
    if (name === 'S') parent.timeline.push(timelineEntry(attributes));
    else if (parent.children.push(draft) > childrenMax) throw new Error(`too many elements in ${parent.name}`);
  }

  #closed(): void {
    const draft = this.#open.pop();
    if (draft === undefined || draft.children.length > 0 || draft.timeline.length > 0 || draft.contentFirst < 0) return;
    draft.text = this.#text(draft.contentFirst, this.#parser.startTagPosition - 1);
  }

  #text(contentFirst: number, contentEnd: number): SourceText | undefined {
    const raw = this.#source.slice(contentFirst, contentEnd);
    const trimmed = raw.trim();
    const first = this.#skipped + contentFirst + raw.indexOf(trimmed);
    const span = { first, end: first + trimmed.length };
    const verbatim = /^<!\[CDATA\[((?:(?!\]\]>)[^<])*)\]\]>$/.exec(trimmed)?.[1];
    if (verbatim !== undefined) return { value: asUtf8(verbatim).trim(), ...span };
    return trimmed.includes('<') ? undefined : { value: decoded(trimmed), ...span };
  }
}

function timelineEntry(attributes: ReadonlyMap<string, SourceText>): TimelineEntry {
  const of = (name: string): string | undefined => attributes.get(name)?.value.trim();
  const [time, duration, repeat = '0'] = [of('t'), of('d') ?? '', of('r')];
  const sound = /^\d{1,15}$/.test(duration) && /^(?:-?\d{1,15})$/.test(repeat) && /^\d{1,20}$/.test(time ?? '0');
  // A duration of 0 stands for an entry that is not understood, segment sequences (`k`) among them.
  if (!sound || of('k') !== undefined) return { time: undefined, duration: 0, repeat: 0 };
  return { time: time === undefined ? undefined : BigInt(time), duration: Number(duration), repeat: Number(repeat) };
}

function refuseOtherEncodings(declaration: string): void {
  const encoding = /\bencoding\s*=\s*["']([^"']*)["']/.exec(declaration)?.[1] ?? 'utf-8';
  if (!/^(?:utf-?8|us-ascii)$/i.test(encoding)) throw new Error(`encoding ${encoding} is not understood`);
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** UTF-8 read as Latin-1, with character references: the text that is meant. */
function decoded(raw: string): string {
  const text = asUtf8(raw);
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(#x[0-9a-f]{1,8}|#[0-9]{1,8}|[a-z]{2,4});/gi, (reference, name: string) => {
    if (!name.startsWith('#')) return named[name] ?? reference;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : reference;
  });
}

function asUtf8(latin1: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  return /^[\x00-\x7f]*$/.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8');
}
