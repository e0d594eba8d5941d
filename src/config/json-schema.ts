import { z } from 'zod';
import { configSchema } from '../config.ts';
import { options } from './options.ts';

interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** The JSON Schema of the configuration file, for editors. */
export function configJsonSchema(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' }) as JsonSchema;
  const properties = { ...(schema['properties'] as Record<string, JsonSchema>) };
  for (const { key, repeatable } of options) {
    const property = properties[key];
    if (repeatable && property !== undefined) properties[key] = orSingle(property);
  }
  const about = { title: 'Eddy', description: 'Configuration of an Eddy node.' };
  return `${JSON.stringify({ ...schema, ...about, properties }, undefined, 2)}\n`;
}

/** A list whose only item may stand for it. */
function orSingle({ description, default: preset, ...list }: JsonSchema): JsonSchema {
  return { description, ...(preset !== undefined && { default: preset }), anyOf: [list['items'], list] };
}
