import type { Fields } from '../../fields.ts';
import { type Bare, dictionaryOf, type Member } from '../../structured-fields.ts';

const objectTypes = ['m', 'a', 'v', 'av', 'i', 'c', 'tt', 'k', 'o'] as const;
const formats = { d: 'dash', h: 'hls', s: 'smooth', o: 'other' } as const;
const streamTypes = { v: 'vod', l: 'live', ll: 'low-latency' } as const;

/** Common Media Client Data of one request (CTA-5004 version 1, CTA-5004-A version 2), as far as it is used here. */
export interface ClientData {
  readonly sessionId: string | undefined;
  readonly objectType: (typeof objectTypes)[number] | undefined;
  readonly format: (typeof formats)[keyof typeof formats] | undefined;
  readonly streamType: (typeof streamTypes)[keyof typeof streamTypes] | undefined;
  /** Media that the player holds of that type (`bl`). */
  readonly bufferMs: number | undefined;
  /** As the player measured it (`mtp`). */
  readonly throughputKbps: number | undefined;
  /** 0 while it is paused (`pr`). */
  readonly playbackRate: number | undefined;
  /** Needed at once: start, seek or recovery (`su`). */
  readonly startup: boolean;
  /** The buffer ran empty since the last request (`bs`). */
  readonly starved: boolean;
  /** What it will ask for next (`nor`, with `nrr` or the parameter `r`): references relative to this request. */
  readonly next: readonly { readonly reference: string; readonly range: string | undefined }[];
}

const charactersMax = 4_096;
const textMax = 128;
const referenceMax = 1_024;
const nextMax = 4;
const fieldNames = ['CMCD-Object', 'CMCD-Request', 'CMCD-Session', 'CMCD-Status'];

/** What a player says of itself in the query or in fields; undefined where it says nothing, or nothing that parses. */
export function clientDataOf({ target, fields }: { target: string; fields: Fields }): ClientData | undefined {
  const text = inQuery(target) ?? inFields(fields);
  if (text === undefined || text.length > charactersMax) return undefined;
  const members = dictionaryOf(text);
  return members === undefined || members.size === 0 ? undefined : dataOf(members);
}

function inQuery(target: string): string | undefined {
  const at = target.search(/[?&]CMCD=/);
  if (at < 0) return undefined;
  const end = target.indexOf('&', at + 1);
  return decoded(target.slice(at + '?CMCD='.length, end < 0 ? undefined : end));
}

function inFields(fields: Fields): string | undefined {
  const values = fieldNames.flatMap((name) => fields.get(name) ?? []);
  return values.length === 0 ? undefined : values.join(',');
}

function dataOf(members: ReadonlyMap<string, Member>): ClientData {
  const objectType = oneOf(objectTypes, textOf(members.get('ot')));
  const number = (name: string): number | undefined => numberOf(members.get(name), objectType);
  const [format, streamType] = [textOf(members.get('sf')), textOf(members.get('st'))];
  return {
    sessionId: short(textOf(members.get('sid'))),
    objectType,
    format: lookUp(formats, format),
    streamType: lookUp(streamTypes, streamType),
    bufferMs: number('bl'),
    throughputKbps: number('mtp'),
    playbackRate: number('pr'),
    startup: members.get('su')?.value === true,
    starved: isStarved(members.get('bs')),
    next: nextOf(members),
  };
}

/** A number; of a list for several object types (version 2) that of the type asked for, else the first. */
function numberOf(member: Member | undefined, objectType: ClientData['objectType']): number | undefined {
  const value = member?.value;
  if (typeof value !== 'object' || !isList(value)) return positive(value);
  const ours = value.find(({ parameters }) => objectType !== undefined && parameters.has(objectType));
  return positive((ours ?? value[0])?.value);
}

function positive(value: Bare): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}

function isStarved(member: Member | undefined): boolean {
  const value = member?.value;
  return value === true || (typeof value === 'object' && isList(value) && value.some((each) => each.value === true));
}

function nextOf(members: ReadonlyMap<string, Member>): ClientData['next'] {
  const value = members.get('nor')?.value;
  const items = typeof value === 'object' && isList(value) ? value : [{ value, parameters: new Map<string, Bare>() }];
  const ranges = items.length === 1 ? textOf(members.get('nrr')) : undefined;
  return items.slice(0, nextMax).flatMap((item) => {
    const reference = typeof item.value === 'string' ? decoded(item.value) : undefined;
    const range = item.parameters.get('r');
    if (reference === undefined || reference === '' || reference.length > referenceMax) return [];
    return [{ reference, range: typeof range === 'string' ? range : ranges }];
  });
}

function isList(value: Member['value']): value is Exclude<Member['value'], Bare> {
  return Array.isArray(value);
}

/** Tokens by the standard; players are known to send strings, and the other way round. */
function textOf(member: Member | undefined): string | undefined {
  const value = member?.value;
  if (typeof value === 'string') return value;
  return typeof value === 'object' && 'token' in value ? value.token : undefined;
}

function short(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text.length > textMax ? undefined : text;
}

function oneOf<Value extends string>(values: readonly Value[], text: string | undefined): Value | undefined {
  return values.find((value) => value === text);
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string | undefined): Value | undefined {
  return key !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}

function decoded(text: string): string | undefined {
  if (text.length > 3 * charactersMax) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
