import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { environment, settings } from './settings.ts';

type Schema = {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  items?: Schema;
};

/** SETTINGS.md, from the schema and the table of environment variables: a test holds the page against this. */
export function renderSettings(): string {
  const rows: string[] = [];
  walk(z.toJSONSchema(settings, { io: 'input', unrepresentable: 'any' }) as Schema, '', rows);
  return `# Settings

From \`tripline.yaml\` in the working directory (or where \`TRIPLINE_CONFIG\` points), overridden by the environment. A wrong
or unknown setting stops the start with a sentence that names it. \`tripline.yaml\`, the rules that it names and all that
they import are read only where nobody but root and the user that runs Tripline can write them. A variable marked *secret*
may also be given as \`<NAME>_FILE\`, the path of a file that holds it; several secrets stand one a line there, or with a
comma between them in the variable itself where each has 16 characters. What Kubernetes says of its services
(\`TRIPLINE_PORT=tcp://…\`) is ignored.

| setting | environment | default | what it is |
|---|---|---|---|
${rows.join('\n')}
`;
}

function walk(schema: Schema, path: string, rows: string[]): void {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const here = path === '' ? name : `${path}.${name}`;
    if (field.properties) walk(field, here, rows);
    else if (field.items?.properties) {
      rows.push(row(here, field));
      walk(field.items, `${here}[]`, rows);
    } else rows.push(row(here, field));
  }
}

function row(path: string, field: Schema): string {
  const variable = environment.find((setting) => setting.path === path);
  const named = variable
    ? `\`${variable.name}\`${variable.secret ? ' *secret*' : ''}${variable.kind === 'list' ? ', comma-separated' : ''}`
    : '';
  const usual = field.default === undefined ? '' : `\`${JSON.stringify(field.default).replaceAll('"', '')}\``;
  const choice = field.enum ? ` One of ${field.enum.map((value) => `\`${value}\``).join(', ')}.` : '';
  return `| \`${path}\` | ${named} | ${usual} | ${`${field.description ?? ''}${choice}`.trim()} |`;
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, 'SETTINGS.md'), renderSettings());
