import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pages } from './catalogue.ts';
import { rules } from './registry.ts';

/** `npm run docs`: writes the pages of the rules anew. */
for (const [name, render] of Object.entries(pages)) writeFileSync(join(import.meta.dirname, name), render(rules));
