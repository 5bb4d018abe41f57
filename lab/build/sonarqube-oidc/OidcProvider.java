package usine.lab.oidc;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.sonar.api.config.Configuration;
import org.sonar.api.server.ServerSide;
import org.sonar.api.server.authentication.Display;
import org.sonar.api.server.authentication.OAuth2IdentityProvider;
import org.sonar.api.server.authentication.UnauthorizedException;
import org.sonar.api.server.authentication.UserIdentity;

/**
 * Log-in by OpenID Connect's authorization code flow, with the settings, the provider key and the behaviour of the
  * community's plugin (sonar-auth-oidc), so that the platform's settings for it work here. Not supported: log-in
  * strategies other than the preferred user name, automatic log-in, icon and colour.
 *
 * The ID token comes directly from the token endpoint over TLS, so OpenID Connect Core (3.1.3.7) accepts the server's
  * certificate instead of the signature; issuer, audience and expiry are checked.
 */
@ServerSide
public final class OidcProvider implements OAuth2IdentityProvider {
  private static final String PREFIX = "sonar.auth.oidc.";
  private static final String STRATEGY = "Preferred username";
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final Configuration settings;

  public OidcProvider(Configuration settings) {
    this.settings = settings;
  }

  @Override
  public String getKey() {
    return "oidc";
  }

  @Override
  public String getName() {
    return setting("loginButtonText", "OpenID Connect");
  }

  @Override
  public Display getDisplay() {
    return Display.builder().setIconPath("/favicon.ico").setBackgroundColor("#236a97").build();
  }

  @Override
  public boolean isEnabled() {
    return flag("enabled") && !setting("issuerUri", "").isEmpty() && !setting("clientId.secured", "").isEmpty();
  }

  @Override
  public boolean allowsUsersToSignUp() {
    return flag("allowUsersToSignUp");
  }

  @Override
  public void init(InitContext context) {
    Map<String, String> query = new LinkedHashMap<>();
    query.put("response_type", "code");
    query.put("client_id", setting("clientId.secured", ""));
    query.put("redirect_uri", context.getCallbackUrl());
    query.put("scope", setting("scopes", "openid"));
    query.put("state", context.generateCsrfState());
    context.redirectTo(discovered("authorization_endpoint") + "?" + encoded(query));
  }

  @Override
  public void callback(CallbackContext context) {
    context.verifyCsrfState();
    String code = context.getHttpRequest().getParameter("code");
    if (code == null) {
      throw new UnauthorizedException("The identity provider did not let you in.");
    }
    Map<String, Object> claims = claims(code, context.getCallbackUrl());
    if (!STRATEGY.equals(setting("loginStrategy", STRATEGY))) {
      throw new UnauthorizedException("This plugin knows the log-in strategy '" + STRATEGY + "' only.");
    }
    String login = required(claims, "preferred_username");
    UserIdentity.Builder user = UserIdentity.builder()
      .setProviderId(required(claims, "sub"))
      .setProviderLogin(login)
      .setName(claims.get("name") instanceof String ? (String) claims.get("name") : login);
    if (claims.get("email") instanceof String) {
      user.setEmail((String) claims.get("email"));
    }
    if (flag("groupsSync")) {
      user.setGroups(groups(claims.get(setting("groupsSync.claimName", "groups"))));
    }
    context.authenticate(user.build());
    context.redirectToRequestedPage();
  }

  private static Set<String> groups(Object claim) {
    List<?> names = claim instanceof List ? (List<?>) claim : List.of();
    return names.stream().map(String::valueOf).collect(Collectors.toSet());
  }

  private Map<String, Object> claims(String code, String callback) {
    Map<String, String> form = new LinkedHashMap<>();
    form.put("grant_type", "authorization_code");
    form.put("code", code);
    form.put("redirect_uri", callback);
    String client = setting("clientId.secured", "");
    String pair = quoted(client) + ":" + quoted(setting("clientSecret.secured", ""));
    HttpRequest request = HttpRequest.newBuilder(URI.create(discovered("token_endpoint")))
      .timeout(PATIENCE)
      .header("Content-Type", "application/x-www-form-urlencoded")
      .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(UTF_8)))
      .POST(HttpRequest.BodyPublishers.ofString(encoded(form)))
      .build();
    String[] parts = required(answer(request), "id_token").split("\\.");
    if (parts.length != 3) {
      throw new UnauthorizedException("The identity provider's ID token is none.");
    }
    Map<String, Object> claims = Json.object(new String(Base64.getUrlDecoder().decode(parts[1]), UTF_8));
    Object audience = claims.get("aud");
    boolean ours = audience instanceof List ? ((List<?>) audience).contains(client) : client.equals(audience);
    boolean current = claims.get("exp") instanceof Double && (Double) claims.get("exp") > Instant.now().getEpochSecond();
    if (!ours || !current || !discovered("issuer").equals(claims.get("iss"))) {
      throw new UnauthorizedException("The identity provider's ID token is not for this server, or not any more.");
    }
    return claims;
  }

  private String discovered(String name) {
    String issuer = setting("issuerUri", "").replaceAll("/+$", "");
    URI address = URI.create(issuer + "/.well-known/openid-configuration");
    return required(answer(HttpRequest.newBuilder(address).timeout(PATIENCE).GET().build()), name);
  }

  private static Map<String, Object> answer(HttpRequest request) {
    try {
      HttpClient http = HttpClient.newBuilder().connectTimeout(PATIENCE).build();
      HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new IllegalStateException(request.uri() + ": HTTP " + response.statusCode());
      }
      return Json.object(response.body());
    } catch (IOException e) {
      throw new IllegalStateException(request.uri() + ": " + e, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private static String required(Map<String, Object> from, String name) {
    if (from.get(name) instanceof String) {
      return (String) from.get(name);
    }
    throw new IllegalStateException("The identity provider gives no " + name);
  }

  private String setting(String name, String otherwise) {
    return settings.get(PREFIX + name).orElse(otherwise);
  }

  private boolean flag(String name) {
    return settings.getBoolean(PREFIX + name).orElse(false);
  }

  private static String encoded(Map<String, String> values) {
    return values.entrySet().stream()
      .map(e -> quoted(e.getKey()) + "=" + quoted(e.getValue()))
      .collect(Collectors.joining("&"));
  }

  private static String quoted(String text) {
    return URLEncoder.encode(text, UTF_8);
  }
}
