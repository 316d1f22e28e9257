"""The shader programs (GLSL 3.30)."""

from __future__ import annotations

from typing import Final

HEADER: Final = "#version 330\n"

PROJECTION: Final = """
uniform mat3 K;
uniform vec2 size;            // px of the picture
uniform vec2 depth_range;     // near and far, m
uniform int model;            // 0 = no distortion, 1 = polynomial, 2 = equidistant
uniform float D[12];          // OpenCV's order, without the tilt
uniform mat3 tilt;            // of a tilted sensor (last two coefficients)
uniform float max_radius;     // beyond it the lens model folds back; it is continued as a line

vec2 distort(vec2 a) {
    float r = length(a);
    vec2 b = r > max_radius ? a * (max_radius / r) : a;
    float r2 = dot(b, b);
    vec2 d;
    if (model == 2) {
        r = sqrt(r2);
        float t = atan(r), t2 = t * t;
        t *= 1 + t2 * (D[0] + t2 * (D[1] + t2 * (D[2] + t2 * D[3])));
        d = b * (r > 1e-8 ? t / r : 1.0);
    } else {
        float radial = (1 + r2 * (D[0] + r2 * (D[1] + r2 * D[4])))
                     / (1 + r2 * (D[5] + r2 * (D[6] + r2 * D[7])));
        d = b * radial + vec2(2 * D[2] * b.x * b.y + D[3] * (r2 + 2 * b.x * b.x),
                              D[2] * (r2 + 2 * b.y * b.y) + 2 * D[3] * b.x * b.y);
        d += r2 * vec2(D[8] + r2 * D[9], D[10] + r2 * D[11]);
        vec3 h = tilt * vec3(d, 1);
        d = h.xy / h.z;
    }
    return d + (a - b);
}

vec4 to_clip(vec2 px, float z) {
    vec2 ndc = 2 * (px + 0.5) / size - 1;  // whole numbers are pixel centres; row 0 comes first
    float n = depth_range.x, f = depth_range.y;
    return vec4(ndc * z, (z * (f + n) - 2 * f * n) / (f - n), z);
}

vec4 project(vec3 p) {
    // Behind the near plane the lens model has no meaning; clipping needs the straight line.
    vec2 px;
    if (model != 0 && p.z > depth_range.x) {
        px = (K * vec3(distort(p.xy / p.z), 1)).xy;
        return to_clip(px, p.z);
    }
    vec3 h = K * p;
    float n = depth_range.x, f = depth_range.y;
    vec2 ndc = (2 * h.xy + p.z) / size - p.z;
    return vec4(ndc, (p.z * (f + n) - 2 * f * n) / (f - n), p.z);
}
"""

LIGHTING: Final = """
uniform vec3 wrap;            // material, see scene.Material
uniform float roughness, specular, rim;
uniform vec3 light_direction[4], light_colour[4];

// What a lamp adds: scattered light, to be multiplied with the albedo, and mirrored light.
void shine(int k, vec3 n, vec3 view, float rough, out vec3 scattered, out vec3 mirrored) {
    float gloss = 2 / (rough * rough * rough * rough + 1e-4) - 1.9;
    vec3 to_light = light_direction[k];
    float slope = dot(n, to_light);
    scattered = clamp((slope + wrap) / (1 + wrap), 0, 1) * light_colour[k];
    vec3 halfway = normalize(to_light + view);
    float t = max(dot(n, halfway), 0);
    float lobe = t / (gloss - gloss * t + t) * (gloss + 8) * 0.125;  // about t to the gloss
    float rest = 1 - dot(view, halfway);
    float fresnel = specular + (1 - specular) * rest * rest * rest * rest * rest;
    mirrored = lobe * fresnel * max(slope, 0) * light_colour[k];
}

float outline(vec3 n, vec3 view) {
    float facing = clamp(dot(n, view), 0, 1);
    return 1 - rim * (1 - facing) * (1 - facing);
}
"""

SURFACE_VERTEX: Final = (
    PROJECTION
    + LIGHTING
    + """
uniform mat4 pose;
uniform vec3 eye;             // the camera's place in the world
uniform vec3 ambient[9];
uniform float pull;           // towards the camera: edges before their surface
uniform mat4 shadow_from_world;
uniform float shadow_bias;    // m

in vec3 position, normal, anchor;
in vec2 uv;
in vec4 colour;

out vec3 v_view, v_normal, v_ambient, v_anchor, v_colour, v_shadow;
#ifdef VERTEX_LIT
out vec3 v_scattered[LIGHTS], v_mirrored[LIGHTS];
#endif
out vec2 v_uv;

void main() {
    v_view = eye - position;
    // Some way along the normal, so that a surface does not shade itself.
    v_shadow = (shadow_from_world * vec4(position + shadow_bias * normal, 1)).xyz;
    v_normal = normal;
    v_anchor = anchor;
    v_colour = colour.rgb;
    v_uv = uv;
    vec3 n = normal;
    v_ambient = max(ambient[0] + n.x * ambient[1] + n.y * ambient[2] + n.z * ambient[3]
                    + n.x * n.y * ambient[4] + n.y * n.z * ambient[5]
                    + (3 * n.z * n.z - 1) * ambient[6] + n.x * n.z * ambient[7]
                    + (n.x * n.x - n.y * n.y) * ambient[8], vec3(0));
#ifdef VERTEX_LIT
    vec3 view = normalize(v_view);
    float shade = outline(n, view);
    v_ambient *= shade;
    for (int k = 0; k < LIGHTS; ++k) {
        shine(k, n, view, roughness, v_scattered[k], v_mirrored[k]);
        v_scattered[k] *= shade;
    }
#endif
    gl_Position = project((pose * vec4(position, 1)).xyz * (1 - pull));
}
"""
)

SURFACE_FRAGMENT: Final = (
    LIGHTING
    + """
in vec3 v_view, v_normal, v_ambient, v_anchor, v_colour, v_shadow;
#ifdef VERTEX_LIT
in vec3 v_scattered[LIGHTS], v_mirrored[LIGHTS];
#endif
in vec2 v_uv;

uniform vec3 base;            // material, see scene.Material
uniform vec3 mottle, noise_shift;
uniform float opacity, grain, noise_frequency, bump;
uniform vec4 shadow_tile;     // of the shadow map: low x, y and high x, y
uniform sampler2D albedo_map, detail_map;
uniform sampler3D noise_map;
uniform sampler2DShadow shadow_map;

layout(location = 0) out vec4 out_colour;

vec3 linear(vec3 c) {
    return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878);
}

vec3 display(vec3 c) {  // sRGB to about 1/255, without powers
    vec3 s = sqrt(clamp(c, 0, 1));
    return s * (1.12474 - s * (0.09522 + s * 0.02952));
}

float lit_share() {
#ifdef SHADOW
    // Nothing casts a shadow at the map's border, nor beyond it.
    vec2 at = clamp(v_shadow.xy, shadow_tile.xy, shadow_tile.zw);
    return texture(shadow_map, vec3(at, v_shadow.z));
#else
    return 1.0;
#endif
}

#ifdef RELIEF
// M. Mikkelsen, "Bump Mapping Unparametrized Surfaces on the GPU", 2010.
vec3 relief(vec3 n, float height) {
    vec3 along = -dFdx(v_view), down = -dFdy(v_view);
    vec3 r1 = cross(down, n), r2 = cross(n, along);
    float det = dot(along, r1);
    vec3 slope = sign(det) * (dFdx(height) * r1 + dFdy(height) * r2);
    return normalize(abs(det) * n - slope);
}
#endif

void main() {
    vec3 albedo = base * v_colour;
    float rough = roughness;
    vec3 n = normalize(v_normal);
    if (!gl_FrontFacing) n = -n;
    float height = 0;
#ifdef TEXTURE
    albedo *= linear(texture(albedo_map, v_uv).rgb);
#endif
#ifdef NOISE
    vec3 at = v_anchor * noise_frequency + noise_shift;
    vec2 noise = texture(noise_map, at).rg - 0.5;
    float coarse = noise.r, fine = noise.g;
    albedo *= max(1 + 2 * (mottle * coarse + grain * fine), 0);
    height += bump * fine;
#endif
#ifdef DETAIL
    vec2 detail = texture(detail_map, v_uv).rg;
    height += bump * detail.r;
    rough *= detail.g;
#endif
    vec3 shown = albedo;
#ifndef UNLIT
#ifdef RELIEF
    n = relief(n, height);
#endif
    vec3 view = normalize(v_view);
    vec3 diffuse = v_ambient;
    vec3 glance = vec3(0);
    for (int k = 0; k < LIGHTS; ++k) {
        float share = k == 0 ? lit_share() : 1.0;
        vec3 scattered, mirrored;
#ifdef VERTEX_LIT
        scattered = v_scattered[k];
        mirrored = v_mirrored[k];
#else
        shine(k, n, view, rough, scattered, mirrored);
#endif
        diffuse += scattered * share;
        glance += mirrored * share;
    }
#ifndef VERTEX_LIT
    diffuse *= outline(n, view);
#endif
    shown = albedo * diffuse + glance;
#endif
    out_colour = vec4(display(shown) * opacity, opacity);
}
"""
)

LABEL_VERTEX: Final = (
    PROJECTION
    + """
uniform mat4 pose;
in vec3 position;
in vec4 part;
flat out float v_part;
out float v_z;
void main() {
    vec3 at = (pose * vec4(position, 1)).xyz;
    v_part = part.x;
    v_z = at.z;
    gl_Position = project(at);
}
"""
)

LABEL_FRAGMENT: Final = """
uniform float number;
flat in float v_part;
in float v_z;
layout(location = 0) out vec2 out_label;
layout(location = 1) out float out_nearness;
void main() {
    out_label = vec2(number, v_part);
    out_nearness = 1 / v_z;  // so that nothing, 0, is infinitely far
}
"""

SHADOW_VERTEX: Final = """
uniform mat4 clip_from_world;
in vec3 position;
void main() {
    gl_Position = clip_from_world * vec4(position, 1);
}
"""

SHADOW_FRAGMENT: Final = """
void main() {}
"""

DRAWING_VERTEX: Final = (
    PROJECTION
    + """
in vec2 px;
in float depth;
in vec4 colour;
out vec4 v_colour;
void main() {
    vec4 at = to_clip(px, depth > 0 ? depth : depth_range.x * 1.001);
    gl_Position = vec4(at.xyz / at.w, 1);
    v_colour = colour;
}
"""
)

DRAWING_FRAGMENT: Final = """
in vec4 v_colour;
layout(location = 0) out vec4 out_colour;
void main() {
    out_colour = v_colour;
}
"""
