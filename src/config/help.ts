import { configSchema } from '../config.ts';
import { environmentName, options } from './options.ts';

const width = 100;
const indent = 6;

/** What `--help` prints. */
export function helpText(version: string): string {
  const lines = options.map(({ flag, key, value, repeatable }) => {
    const often = repeatable ? ' (repeatable)' : '';
    return entry(`--${flag} ${value}${often}`, `${configSchema.shape[key].description ?? ''} ${environmentName(flag)}`);
  });
  return [
    `Eddy ${version}: an edge video cache that asks its neighbours before it asks the origin.`,
    '',
    'Usage: eddy [options]',
    '       eddy identity --data DIR',
    '       eddy credential --cell NAME --cell-key FILE --peer-id ID --days N',
    '',
    entry(
      '--config FILE',
      'YAML file. Options win over the environment, the environment wins over the file. EDDY_CONFIG',
    ),
    ...lines,
    entry('identity', 'Print the peer id of the node with that directory.'),
    entry('credential', 'Print a credential for the node of that peer id, for its --cell-credential.'),
    entry('--help', 'Print this and exit.'),
    entry('--version', 'Print the version and exit.'),
    '',
    'Sizes are bytes or have a unit (256MiB, 10GiB). In the file, options are keys (cell-key is cellKey), and there are',
    'more: maps, peering, limits and accessLog. config/eddy.schema.json describes all of them.',
    '',
  ].join('\n');
}

function entry(head: string, text: string): string {
  return `  ${head}\n${wrapped(text)}`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${' '.repeat(indent)}${each}`).join('\n');
}
