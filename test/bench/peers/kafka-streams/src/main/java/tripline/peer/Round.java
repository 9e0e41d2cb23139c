package tripline.peer;

import com.fasterxml.jackson.databind.JsonNode;

/** One line that the bench says: read the topic from its beginning, as an application of that name. */
final class Round {
  public String application;
  public String brokers;
  public String topic;
  public long total;
  public String stateDir;
  /** Postgres listens on a socket of the file system. */
  public String socket;
  public String database;
  public String user;
  public long commitMs = 100;
  public String compression = "lz4";
  public long learningMs = 14 * Rules.DAY;
  public JsonNode settings;
}
