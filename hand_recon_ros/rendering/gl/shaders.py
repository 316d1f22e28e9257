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
        d = b * (r > 1e-8 ? t * (1 + t2 * (D[0] + t2 * (D[1] + t2 * (D[2] + t2 * D[3])))) / r : 1.0);
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

SURFACE_VERTEX: Final = (
    PROJECTION
    + """
uniform mat4 pose;
uniform vec3 ambient[9];
uniform float pull;           // towards the camera: edges before their surface

in vec3 position, normal, anchor;
in vec2 uv;
in vec4 colour, part;

out vec3 v_position, v_normal, v_ambient, v_anchor, v_colour;
out vec2 v_uv;
flat out float v_part;

void main() {
    v_position = position;
    v_normal = normal;
    v_anchor = anchor;
    v_colour = colour.rgb;
    v_uv = uv;
    v_part = part.x;
    vec3 n = normal;
    v_ambient = max(ambient[0] + n.x * ambient[1] + n.y * ambient[2] + n.z * ambient[3]
                    + n.x * n.y * ambient[4] + n.y * n.z * ambient[5]
                    + (3 * n.z * n.z - 1) * ambient[6] + n.x * n.z * ambient[7]
                    + (n.x * n.x - n.y * n.y) * ambient[8], vec3(0));
    gl_Position = project((pose * vec4(position, 1)).xyz * (1 - pull));
}
"""
)

SURFACE_FRAGMENT: Final = """
in vec3 v_position, v_normal, v_ambient, v_anchor, v_colour;
in vec2 v_uv;
flat in float v_part;

uniform vec3 eye;             // the camera's place in the world
uniform vec3 base;            // material, see scene.Material
uniform vec3 wrap, mottle, noise_shift;
uniform float number, roughness, specular, rim, opacity, grain, noise_frequency, bump;
uniform vec3 light_direction[4], light_colour[4];
uniform int lights;
uniform mat4 shadow_from_world;
uniform vec4 shadow_tile;     // of the shadow map: low x, y and high x, y
uniform float shadow_bias;    // m
uniform vec2 shadow_step;     // of the soft edge, in the shadow map
uniform sampler2D albedo_map, detail_map;
uniform sampler3D noise_map;
uniform sampler2DShadow shadow_map;

layout(location = 0) out vec4 out_colour;
layout(location = 1) out vec4 out_label;

vec3 linear(vec3 c) {
    return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878);
}

vec3 display(vec3 c) {
    vec3 s1 = sqrt(clamp(c, 0, 1)), s2 = sqrt(s1), s3 = sqrt(s2);
    return 0.662002687 * s1 + 0.684122060 * s2 - 0.323583601 * s3 - 0.0225411470 * s1 * s1;
}

float lit_share() {
#ifdef SHADOW
    // A texel's width along the normal, so that a surface does not shade itself.
    vec3 at = (shadow_from_world * vec4(v_position + shadow_bias * v_normal, 1)).xyz;
    if (any(lessThan(at.xy, shadow_tile.xy)) || any(greaterThan(at.xy, shadow_tile.zw)))
        return 1.0;
    float sum = 0;
    sum += texture(shadow_map, vec3(at.xy + shadow_step * vec2(-0.75, -0.25), at.z));
    sum += texture(shadow_map, vec3(at.xy + shadow_step * vec2(0.25, -0.75), at.z));
    sum += texture(shadow_map, vec3(at.xy + shadow_step * vec2(0.75, 0.25), at.z));
    sum += texture(shadow_map, vec3(at.xy + shadow_step * vec2(-0.25, 0.75), at.z));
    return 0.25 * sum;
#else
    return 1.0;
#endif
}

#ifdef RELIEF
// M. Mikkelsen, "Bump Mapping Unparametrized Surfaces on the GPU", 2010.
vec3 relief(vec3 n, float height) {
    vec3 along = dFdx(v_position), down = dFdy(v_position);
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
    float coarse = texture(noise_map, at).r - 0.5;
    float fine = texture(noise_map, at * 5.3).g - 0.5;
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
    vec3 view = normalize(eye - v_position);
    float facing = clamp(dot(n, view), 0, 1);
    float gloss = 2 / (rough * rough * rough * rough + 1e-4) - 1.9;
    vec3 diffuse = v_ambient;
    vec3 glance = vec3(0);
    for (int k = 0; k < lights; ++k) {
        vec3 to_light = light_direction[k];
        float slope = dot(n, to_light);
        vec3 spread = clamp((slope + wrap) / (1 + wrap), 0, 1);
        float share = k == 0 ? lit_share() : 1.0;
        diffuse += spread * share * light_colour[k];
        vec3 halfway = normalize(to_light + view);
        float lobe = pow(max(dot(n, halfway), 0), gloss) * (gloss + 8) * 0.125;
        float fresnel = specular + (1 - specular) * pow(1 - max(dot(view, halfway), 0), 5);
        glance += lobe * fresnel * share * max(slope, 0) * light_colour[k];
    }
    diffuse *= 1 - rim * (1 - facing) * (1 - facing);
    shown = albedo * diffuse + glance;
#endif
    out_colour = vec4(display(shown) * opacity, opacity);
    out_label = vec4(number, v_part, 0, 1);
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

RESOLVE_VERTEX: Final = """
void main() {
    gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4 - 1, 0, 1);
}
"""

RESOLVE_FRAGMENT: Final = """
uniform sampler2DMS colours, labels, depths;
uniform vec2 depth_range;

layout(location = 0) out vec4 out_colour;
layout(location = 1) out vec4 out_label;
layout(location = 2) out float out_depth;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 sum = vec4(0);
    vec2 label[4];
    float depth[4];
    for (int k = 0; k < 4; ++k) {
        sum += texelFetch(colours, at, k);
        label[k] = texelFetch(labels, at, k).rg;
        depth[k] = texelFetch(depths, at, k).r;
    }
    // The label that most samples have; among equals, the nearest.
    int best = 0;
    float best_score = -1;
    for (int k = 0; k < 4; ++k) {
        float votes = 0;
        for (int j = 0; j < 4; ++j) votes += float(label[j].x == label[k].x);
        float score = votes + 1 - depth[k];
        if (score > best_score) {
            best_score = score;
            best = k;
        }
    }
    out_colour = sum * 0.25;
    out_label = vec4(label[best], 0, 1);
    float d = depth[best], n = depth_range.x, f = depth_range.y;
    out_depth = d < 1 ? n * f / (f - d * (f - n)) : uintBitsToFloat(0x7F800000u);
}
"""
