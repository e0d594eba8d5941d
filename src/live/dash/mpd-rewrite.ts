import { below, resolved } from './mpd-representations.ts';
import type { MpdElement, SourceText } from './mpd-xml.ts';

/** A URL in the source of an MPD. */
interface Reference {
  readonly text: SourceText;
  /** `template`: holds `$…$`. `list`: several, parted by spaces. */
  readonly form: 'url' | 'template' | 'list';
  readonly base: string;
}

type ToEdge = (url: string) => string | undefined;

/** The same bytes with URLs of mapped origins leading to the edge; the identical buffer where none does. */
export function rewriteMpd(bytes: Buffer, about: { root: MpdElement; url: string; toEdge: ToEdge }): Buffer {
  const { root, url, toEdge } = about;
  const changes: { readonly text: SourceText; readonly value: string }[] = [];
  for (const reference of references(root, url)) {
    const value = edgeValue(reference, toEdge);
    if (value !== undefined && value !== reference.text.value) changes.push({ text: reference.text, value });
  }
  if (changes.length === 0) return bytes;
  const parts: Buffer[] = [];
  let at = 0;
  for (const { text, value } of changes.sort((one, other) => one.text.first - other.text.first)) {
    parts.push(bytes.subarray(at, text.first), Buffer.from(escaped(value)));
    at = text.end;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

const textUrls: ReadonlySet<string> = new Set(['BaseURL', 'Location', 'PatchLocation']);
const attributeUrls: Readonly<Record<string, readonly string[]>> = {
  Initialization: ['sourceURL'],
  RepresentationIndex: ['sourceURL'],
  BitstreamSwitching: ['sourceURL'],
  SegmentURL: ['media', 'index'],
};
const templates = ['media', 'initialization', 'index', 'bitstreamSwitching'];
const timeOverHttp = /^urn:mpeg:dash:utc:http-(?:head|xsdate|iso|ntp):20\d\d$/;

function* references(element: MpdElement, outer: string | undefined): Generator<Reference> {
  const base = below(outer, element);
  for (const child of element.children) {
    const { name, text, attributes } = child;
    if (textUrls.has(name) && text !== undefined && outer !== undefined) yield { text, form: 'url', base: outer };
    if (base !== undefined) yield* attributeReferences(child, base);
    if (name === 'UTCTiming' && timeOverHttp.test(attributes.get('schemeIdUri')?.value ?? '')) {
      const value = attributes.get('value');
      if (value !== undefined && base !== undefined) yield { text: value, form: 'list', base };
    }
    yield* references(child, base);
  }
}

function* attributeReferences({ name, attributes }: MpdElement, base: string): Generator<Reference> {
  for (const each of name === 'SegmentTemplate' ? templates : (attributeUrls[name] ?? [])) {
    const text = attributes.get(each);
    if (text !== undefined) yield { text, form: name === 'SegmentTemplate' ? 'template' : 'url', base };
  }
}

function edgeValue({ text, form, base }: Reference, toEdge: ToEdge): string | undefined {
  const { value } = text;
  if (form === 'url') return edgeUrl(value, base, toEdge);
  if (form === 'template') return edgeTemplate(value, base, toEdge);
  return value.replaceAll(/\S+/g, (each) => edgeUrl(each, base, toEdge) ?? each);
}

/** Undefined: it leads to the edge anyway, as what is relative does, or it does not concern the edge. */
function edgeUrl(reference: string, base: string, toEdge: ToEdge): string | undefined {
  if (!/^\s*(?:[a-z][a-z0-9+.-]*:|\/)/i.test(reference)) return undefined;
  const url = resolved(reference, base);
  return url === undefined ? undefined : toEdge(url);
}

/** Only what stands before the last `/` before the first `$` is replaced: what comes in there is the player's. */
function edgeTemplate(template: string, base: string, toEdge: ToEdge): string | undefined {
  const dollar = template.indexOf('$');
  const fixed = template.lastIndexOf('/', dollar < 0 ? template.length : dollar) + 1;
  if (fixed === 0 || (dollar < 0 && fixed === template.length)) return edgeUrl(template, base, toEdge);
  const edge = edgeUrl(template.slice(0, fixed), base, toEdge);
  return edge === undefined || /[?#]/.test(edge) ? undefined : edge + template.slice(fixed);
}

function escaped(value: string): string {
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;');
}
