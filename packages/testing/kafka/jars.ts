import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The newest Kafka that the suites were run against with kafkajs 2.2.4; `TRIPLINE_TEST_KAFKA_VERSION` tries another. */
const version = process.env['TRIPLINE_TEST_KAFKA_VERSION'] ?? '4.4.0';
const cache = join(import.meta.dirname, '../../../.cache/kafka');

/** Kafka cannot be had on this machine. The message says why, and what would help. */
export class NoKafkaError extends Error {
  readonly code = 'NO_KAFKA';
}

/**
 * Class path of an Apache Kafka from Maven Central, fetched once into `.cache/kafka/`.
 * @throws {NoKafkaError} without Java 17, or without Maven when it is not fetched yet.
 */
export async function kafkaClassPath(): Promise<string> {
  const java = await run('java', ['-version']).catch(() => null);
  const major = Number(/version "(\d+)/.exec(java?.stderr ?? '')?.[1] ?? 0);
  if (major < 17) throw new NoKafkaError('Kafka needs Java 17 or newer on the PATH (or set KAFKA_BROKERS)');
  const folder = join(cache, version);
  if (!existsSync(folder)) await fetchJars(folder);
  return join(folder, '*');
}

async function fetchJars(folder: string): Promise<void> {
  const draft = `${folder}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const pom = join(cache, `pom.${process.pid}.xml`);
  writeFileSync(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>tripline</groupId><artifactId>test-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`,
  );
  try {
    await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${draft}`]);
    // In one step, so that an interrupted download never passes for a whole one. Lost against another run: theirs will do.
    renameSync(draft, folder);
  } catch (error) {
    if (existsSync(folder)) return;
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'Maven (mvn) is not on the PATH' : String(error);
    throw new NoKafkaError(`Kafka ${version} could not be fetched from Maven Central: ${why}`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(pom, { force: true });
  }
}
