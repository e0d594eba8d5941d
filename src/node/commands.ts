import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { credentialText } from '../config/cell-credential.ts';
import { messageOf } from '../errors.ts';
import { openCell } from '../peers/cell/cell-key.ts';
import { issueCredential, lifetimeMsMax } from '../peers/cell/credential.ts';
import { openIdentity } from '../peers/cell/identity.ts';

/** What a command prints, or what is wrong with how it was called. */
type CommandResult = { readonly output: string } | { readonly error: string };

type Values = Readonly<Record<string, string>>;

interface Command {
  readonly usage: string;
  readonly options: ParseArgsOptionsConfig;
  readonly run: (values: Values) => Promise<CommandResult>;
}

const dayMs = 24 * 3_600_000;
const daysMax = lifetimeMsMax / dayMs;
const text = { type: 'string' } as const;

const commands: Readonly<Record<string, Command>> = {
  identity: {
    usage: 'eddy identity --data DIR: prints the peer id of the node with that directory, made if it is new',
    options: { data: text },
    run: async ({ data = '' }) => ({ output: `${(await openIdentity(join(data, 'identity'))).peerId}\n` }),
  },
  credential: {
    usage: `eddy credential --cell NAME --cell-key FILE --peer-id ID --days N: prints what makes that node a member for 1 to ${daysMax} days`,
    options: { cell: text, 'cell-key': text, 'peer-id': text, days: text },
    run: issue,
  },
};

/** Runs what is not a node. Never rejects. */
export async function runCommand([name = '', ...argv]: readonly string[]): Promise<CommandResult> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return { error: `${JSON.stringify(name)} is no command` };
  try {
    const { values } = parseArgs({ args: [...argv], options: command.options });
    const missing = Object.keys(command.options).filter((option) => !values[option]);
    if (missing.length > 0)
      return { error: `${missing.map((option) => `--${option}`).join(', ')} missing. ${command.usage}` };
    return await command.run(values as Values);
  } catch (error) {
    return { error: `${messageOf(error)}. ${command.usage}` };
  }
}

async function issue(values: Values): Promise<CommandResult> {
  const [peerId = '', days = Number.NaN] = [values['peer-id'], Number(values['days'])];
  if (!/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/.test(peerId))
    return { error: `--peer-id is ${JSON.stringify(peerId)}: must be what "eddy identity" or the ready line says` };
  if (!(days > 0 && days <= daysMax))
    return { error: `--days is ${JSON.stringify(values['days'])}: must be a number up to ${daysMax}` };
  const cell = await openCell(values['cell'] ?? '', await readFile(values['cell-key'] ?? '', 'utf8'));
  const expiresMs = Math.floor(Date.now() + days * dayMs);
  const { signature } = await issueCredential(cell, { peerId, expiresMs });
  return { output: credentialText({ cell: cell.name, publicKey: cell.publicKey.raw, peerId, expiresMs, signature }) };
}
